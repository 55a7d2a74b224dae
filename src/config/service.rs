//! `[[services]]`: units of systemd that runbooks may stop, start and fence.

use super::names::{Line, Names};
use crate::located::{Fields, Item};
use crate::model::estate::{Service, UnitScope};
use crate::model::id::{HostId, ServiceId};

pub(super) fn service(fields: &mut Fields<'_>, names: &mut Names, hosts: &Names) -> Option<Service> {
    let id = names.define(fields);
    let host = fields.need("host").and_then(|item| hosts.refer(&item));
    let unit = fields.need("unit").and_then(|item| unit(&item, ".service", "postgresql@15-main.service"));
    let scope = fields.take("scope").map_or(Some(UnitScope::System), |item| {
        item.choice(&[("system", UnitScope::System), ("user", UnitScope::User)])
    });
    let addresses = fields.take("addresses").and_then(|item| item.list()).unwrap_or_default();
    let addresses = addresses.iter().filter_map(address).collect();
    let vantage = fields.take("vantage").and_then(|item| item.list()).unwrap_or_default();
    let vantage = vantage.iter().filter_map(|item| hosts.refer(item)).map(HostId::new).collect();
    Some(Service { id: ServiceId::new(id?), host: HostId::new(host?), unit: unit?, scope: scope?, addresses, vantage })
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
