//! `[[servers]]` and `[[hosts]]`: where live databases run, and where commands run.

use super::names::{Line, Names, path_below};
use super::secret_ref::secret_ref;
use super::source::pattern;
use super::traffic::traffic;
use crate::located::{Fields, Item, Located};
use crate::model::estate::{AssetKind, Host, Server, ServerHome, Ssh, TlsMode, Via};
use crate::model::id::{HostId, ServerId, ServiceId};
use std::path::Path;

const KINDS: [(&str, AssetKind); 2] = [("postgresql", AssetKind::PostgreSql), ("redis", AssetKind::Redis)];

pub(super) fn server(fields: &mut Fields<'_>, names: &mut Names, around: &mut Around<'_>) -> Option<Server> {
    let base = around.base;
    let id = names.define(fields);
    let kind = fields.take("kind").map_or(Some(AssetKind::PostgreSql), |item| item.choice(&KINDS));
    let host = fields.required::<Line>("host");
    let port = fields.take("port").map(|item| port(&item));
    let user = fields.optional::<Line>("user");
    let password = fields.take("password").and_then(|item| secret_ref(&item, base));
    let tls = fields
        .take("tls")
        .map_or(Some(TlsMode::Off), |item| item.choice(&[("off", TlsMode::Off), ("verify", TlsMode::Verify)]));
    let maintenance_db = fields.optional::<Line>("maintenance_db");
    let bin_dir = fields.take("bin_dir").and_then(|item| path_below(base, &item));
    let home = fields.table("home", |fields| home(fields, around, kind));
    let standby = fields.optional::<Located<String>>("standby");
    if kind == Some(AssetKind::Redis) {
        fields.forbid(&["leftovers"], "a Redis server has no databases with names");
    }
    let leftovers = fields.take("leftovers").and_then(|item| item.list()).unwrap_or_default();
    let leftovers = leftovers.iter().filter_map(pattern).collect();
    let vantage = fields.take("vantage").and_then(|item| item.list()).unwrap_or_default();
    let vantage = vantage.iter().filter_map(|item| around.hosts.refer(item)).map(HostId::new).collect();
    let traffic = fields.table("traffic", |fields| traffic(fields, around));
    around.standbys.extend(standby.clone());
    let (default_port, default_user) = match kind? {
        AssetKind::Redis => (6379, "default"),
        _ => (5432, "postgres"),
    };
    Some(Server {
        id: ServerId::new(id?),
        kind: kind?,
        host: host?.0,
        port: port.unwrap_or(Some(default_port))?,
        user: user.map_or_else(|| default_user.to_owned(), |line| line.0),
        password,
        tls: tls?,
        maintenance_db: maintenance_db.map_or_else(|| "postgres".to_owned(), |line| line.0),
        bin_dir,
        home,
        standby: standby.map(|name| ServerId::new(name.value)),
        leftovers,
        vantage,
        traffic,
    })
}

pub(super) fn port(item: &Item<'_>) -> Option<u16> {
    match u16::try_from(item.read::<i64>()?) {
        Ok(port @ 1..) => Some(port),
        _ => item.refuse("lie between 1 and 65535"),
    }
}

/// Hosts come first in the reading, so that servers can refer to them.
pub(super) struct Around<'a> {
    pub base: &'a Path,
    pub hosts: &'a Names,
    pub services: &'a Names,
    /// Services of compose among them.
    pub composed: &'a [ServiceId],
    /// Standbys that servers name; they may come later in the file.
    pub standbys: &'a mut Vec<Located<String>>,
}

fn home(fields: &mut Fields<'_>, around: &Around<'_>, kind: Option<AssetKind>) -> Option<ServerHome> {
    if kind == Some(AssetKind::Redis) {
        fields.forbid(
            &["log", "start_options", "replication_user", "service"],
            "a Redis server is started by its command `start`",
        );
    } else {
        fields.forbid(&["start", "stop"], "a PostgreSQL server is started by pg_ctl, with `start_options`");
    }
    let host = fields.need("host").and_then(|item| around.hosts.refer(&item));
    let data_dir = fields.need("data_dir").and_then(|item| path_there(&item));
    let bin_dir = fields.take("bin_dir").and_then(|item| path_there(&item));
    let log = fields.take("log").and_then(|item| path_there(&item));
    let start_options = fields.optional::<Vec<String>>("start_options").unwrap_or_default();
    let replication_user = fields.optional::<Line>("replication_user").map(|line| line.0);
    let start = fields.optional::<Vec<String>>("start").unwrap_or_default();
    let stop = fields.optional::<Vec<String>>("stop").unwrap_or_default();
    let service = fields.take("service").and_then(|item| {
        let id = ServiceId::new(around.services.refer(&item)?);
        if around.composed.contains(&id) {
            item.refuse("be a unit of systemd: one of compose cannot be fenced")
        } else {
            Some(id)
        }
    });
    let (host, data_dir) = (HostId::new(host?), data_dir?);
    Some(ServerHome { host, data_dir, bin_dir, log, start_options, replication_user, start, stop, service })
}

/// A path on another machine: absolute, because nothing here is its beginning.
pub(super) fn path_there(item: &Item<'_>) -> Option<String> {
    let path = item.read::<Line>()?.0;
    let steps_out = path.split('/').any(|part| part == "..");
    if !path.starts_with('/') || path.trim_end_matches('/').is_empty() || steps_out {
        return item.refuse("be an absolute path on the host, without `..`");
    }
    Some(path.trim_end_matches('/').to_owned())
}

#[derive(Clone, Copy)]
enum Way {
    Local,
    Ssh,
}

pub(super) fn host(fields: &mut Fields<'_>, names: &mut Names, base: &Path) -> Option<Host> {
    let id = names.define(fields);
    let way = fields.need("via").and_then(|item| item.choice(&[("local", Way::Local), ("ssh", Way::Ssh)]));
    let run_as = fields.optional::<Vec<String>>("run_as").unwrap_or_default();
    let via = match way {
        Some(Way::Local) => {
            let remote = ["address", "user", "port", "key", "known_hosts"];
            fields.forbid(&remote, "a host that is reached locally needs none");
            Some(Via::Local)
        }
        Some(Way::Ssh) => ssh(fields, base).map(Via::Ssh),
        None => ssh(fields, base).and(None),
    };
    Some(Host { id: HostId::new(id?), via: via?, run_as })
}

fn ssh(fields: &mut Fields<'_>, base: &Path) -> Option<Ssh> {
    let address = fields.need("address").and_then(|item| word(&item, "be a host name or address"));
    let user = fields.take("user").and_then(|item| word(&item, "be a user name"));
    let port = fields.take("port").and_then(|item| port(&item));
    let key = fields.take("key").and_then(|item| path_below(base, &item));
    let known_hosts = fields.take("known_hosts").and_then(|item| path_below(base, &item));
    Some(Ssh { address: address?, user, port, key, known_hosts })
}

/// It becomes one argument of ssh; a leading dash would make it an option.
fn word(item: &Item<'_>, must: &str) -> Option<String> {
    let text = item.read::<Line>()?.0;
    if text.starts_with('-') || text.contains(char::is_whitespace) {
        return item.refuse(must);
    }
    Some(text)
}
