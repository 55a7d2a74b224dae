//! `[[services]]`: what runbooks may stop and start: units of systemd, which they may also fence, and services of compose.

use super::images::words;
use super::names::{Line, Names};
use super::server::path_there;
use crate::located::{Fields, Item};
use crate::model::estate::{ComposeService, Manager, Service, SystemdUnit, UnitScope};
use crate::model::id::{HostId, ServiceId};

pub(super) fn service(fields: &mut Fields<'_>, names: &mut Names, hosts: &Names) -> Option<Service> {
    let id = names.define(fields);
    let host = fields.need("host").and_then(|item| hosts.refer(&item));
    let manager = match fields.take("compose") {
        Some(file) => compose(&file, fields).map(Manager::Compose),
        None => systemd(fields).map(Manager::Systemd),
    };
    let addresses = fields.take("addresses").and_then(|item| item.list()).unwrap_or_default();
    let addresses = addresses.iter().filter_map(address).collect();
    let vantage = fields.take("vantage").and_then(|item| item.list()).unwrap_or_default();
    let vantage = vantage.iter().filter_map(|item| hosts.refer(item)).map(HostId::new).collect();
    Some(Service { id: ServiceId::new(id?), host: HostId::new(host?), manager: manager?, addresses, vantage })
}

fn systemd(fields: &mut Fields<'_>) -> Option<SystemdUnit> {
    fields.forbid(&["compose_service", "project", "engine", "program"], "this belongs to a service of `compose`");
    let unit = fields.need("unit").and_then(|item| unit(&item, ".service", "postgresql@15-main.service"));
    let scope = scope(fields);
    Some(SystemdUnit { unit: unit?, scope: scope? })
}

/// Whose manager runs a unit.
pub(super) fn scope(fields: &mut Fields<'_>) -> Option<UnitScope> {
    fields.take("scope").map_or(Some(UnitScope::System), |item| {
        item.choice(&[("system", UnitScope::System), ("user", UnitScope::User)])
    })
}

fn compose(file: &Item<'_>, fields: &mut Fields<'_>) -> Option<ComposeService> {
    fields.forbid(&["unit", "scope"], "a service is run by systemd or by compose, not by both");
    let compose = path_there(file);
    let service = fields.need("compose_service").and_then(|item| label(&item));
    let project = fields.take("project").map(|item| label(&item));
    let engine = fields.take("engine").map_or_else(|| Some(vec!["docker".to_owned()]), |item| words(&item));
    let program = match (fields.take("program"), &engine) {
        (Some(item), _) => words(&item),
        (None, Some(engine)) => Some([engine.as_slice(), &["compose".to_owned()]].concat()),
        (None, None) => None,
    };
    Some(ComposeService {
        compose: compose?,
        compose_service: service?,
        project: project.map_or(Some(None), |name| name.map(Some))?,
        engine: engine?,
        program: program?,
    })
}

/// A name in the letters that compose allows: it becomes an argument.
fn label(item: &Item<'_>) -> Option<String> {
    let text = item.read::<Line>()?.0;
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(letters) && text.len() <= 255;
    if fits { Some(text) } else { item.refuse("be a name as compose allows it, such as `api`") }
}

/// The name of one unit, in the letters that systemd allows: it becomes an argument and part of a pattern.
pub(super) fn unit(item: &Item<'_>, ending: &str, such_as: &str) -> Option<String> {
    let text = item.read::<Line>()?.0;
    let stem = text.strip_suffix(ending).unwrap_or_default();
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '.' | '\\' | '-' | '@');
    let fits = !stem.is_empty() && !stem.starts_with('-') && !stem.ends_with('@') && stem.chars().all(letters);
    if !fits || text.len() > 255 {
        return item.refuse(&format!("be the full name of a unit such as `{such_as}`"));
    }
    Some(text)
}

fn address(item: &Item<'_>) -> Option<String> {
    let text = item.read::<Line>()?.0;
    let fits = text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && !host.starts_with('-')
            && !host.contains(char::is_whitespace)
            && port.parse::<u16>().is_ok_and(|p| p > 0)
    });
    if fits { Some(text) } else { item.refuse("be host:port") }
}
