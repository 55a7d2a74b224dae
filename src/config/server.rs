//! `[[servers]]` and `[[hosts]]`: where live databases run, and where commands run.

use super::names::{Line, Names, path_below};
use super::secret_ref::secret_ref;
use crate::located::{Fields, Item};
use crate::model::estate::{AssetKind, Host, Server, TlsMode, Via};
use crate::model::id::{HostId, ServerId};
use std::path::Path;

const KINDS: [(&str, AssetKind); 2] = [("postgresql", AssetKind::PostgreSql), ("redis", AssetKind::Redis)];

pub(super) fn server(fields: &mut Fields<'_>, names: &mut Names, base: &Path) -> Option<Server> {
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
    })
}

fn port(item: &Item<'_>) -> Option<u16> {
    match u16::try_from(item.read::<i64>()?) {
        Ok(port @ 1..) => Some(port),
        _ => item.refuse("lie between 1 and 65535"),
    }
}

#[derive(Clone, Copy)]
enum Way {
    Local,
    Ssh,
}

pub(super) fn host(fields: &mut Fields<'_>, names: &mut Names) -> Option<Host> {
    let id = names.define(fields);
    let way = fields.need("via").and_then(|item| item.choice(&[("local", Way::Local), ("ssh", Way::Ssh)]));
    let via = match way {
        Some(Way::Local) => {
            fields.forbid(&["address"], "a host that is reached locally needs none");
            Some(Via::Local)
        }
        Some(Way::Ssh) => fields.need("address").and_then(|item| {
            let address = item.read::<Line>()?.0;
            // It becomes one argument of ssh; a leading dash would make it an option.
            if address.starts_with('-') || address.contains(char::is_whitespace) {
                return item.refuse("be a host name, or user@host");
            }
            Some(Via::Ssh { address })
        }),
        None => fields.take("address").and(None),
    };
    Some(Host { id: HostId::new(id?), via: via? })
}
