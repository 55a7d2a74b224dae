//! `[[jobs]]`: what makes and removes backups, where its host schedules it.

use super::names::{Line, Names, Zone};
use super::server::path_there;
use super::service::{scope, unit};
use crate::located::{Fields, Problem};
use crate::model::estate::{Crontab, Job, JobPlace, Manager, Service, SystemdUnit};
use crate::model::id::{AssetId, HostId, JobId, ServiceId};

pub(super) fn job(fields: &mut Fields<'_>, names: &mut Names, hosts: &Names, assets: &Names) -> Option<Job> {
    let id = names.define(fields);
    let host = fields.need("host").and_then(|item| hosts.refer(&item));
    let of = fields.need("assets").and_then(|item| item.list()).unwrap_or_default();
    let of: Vec<AssetId> = of.iter().filter_map(|item| assets.refer(item)).map(AssetId::new).collect();
    let timer = fields.take("timer");
    let place = if let Some(timer) = timer {
        fields.forbid(&["user", "file", "line", "time_zone"], "these belong to a line of a crontab, not to a timer");
        let scope = scope(fields);
        Some(JobPlace::Timer(Service {
            id: ServiceId::new(id.clone()?),
            host: HostId::new(host.clone()?),
            manager: Manager::Systemd(SystemdUnit { unit: unit(&timer, ".timer", "backup.timer")?, scope: scope? }),
            addresses: Vec::new(),
            vantage: Vec::new(),
        }))
    } else {
        fields.forbid(&["scope"], "this belongs to a timer");
        crontab(fields).map(JobPlace::Crontab)
    };
    let time_zone = fields.optional::<Zone>("time_zone").map(|zone| zone.0);
    Some(Job { id: JobId::new(id?), host: HostId::new(host?), assets: of, place: place?, time_zone })
}

fn crontab(fields: &mut Fields<'_>) -> Option<Crontab> {
    let line = fields.required::<Line>("line");
    let user = fields.take("user").and_then(|item| {
        let text = item.read::<Line>()?.0;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if text.starts_with('-') || !text.chars().all(fits) { item.refuse("be a user name") } else { Some(text) }
    });
    let file = fields.take("file").and_then(|item| path_there(&item));
    if user.is_some() && file.is_some() {
        let problem = Problem::at(&fields.place, "a job stands in the crontab of a `user` or in a `file`, not in both");
        fields.report(problem.help("`file` is one whose lines name a user, such as /etc/cron.d/backup"));
    }
    Some(Crontab { user, file, line: line?.0 })
}
