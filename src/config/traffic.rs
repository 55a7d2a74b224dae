//! `[servers.traffic]`: how clients of a pair learn which half is writable.

use super::names::{Line, Names};
use super::secret_ref::secret_ref;
use super::server::{Around, path_there, port};
use crate::located::{Fields, Item, Located};
use crate::model::estate::{Console, KeyAlgorithm, TlsMode, Traffic, TrafficDns, TrafficFile, TrafficPooler};
use crate::model::id::{HostId, ServerId};
use hickory_proto::rr::Name;
use std::net::IpAddr;
use std::path::Path;

#[derive(Clone, Copy)]
enum Form {
    File,
    Dns,
    PgBouncer,
}

const FORMS: [(&str, Form); 3] = [("file", Form::File), ("dns", Form::Dns), ("pgbouncer", Form::PgBouncer)];
const ALGORITHMS: [(&str, KeyAlgorithm); 3] = [
    ("hmac-sha256", KeyAlgorithm::HmacSha256),
    ("hmac-sha384", KeyAlgorithm::HmacSha384),
    ("hmac-sha512", KeyAlgorithm::HmacSha512),
];
const TLS: [(&str, TlsMode); 2] = [("off", TlsMode::Off), ("verify", TlsMode::Verify)];
const TTL_S: u32 = 30;
const LONGEST_TTL_S: i64 = 86_400;

pub(super) fn traffic(fields: &mut Fields<'_>, around: &mut Around<'_>) -> Option<Traffic> {
    match fields.take("type").map_or(Some(Form::File), |item| item.choice(&FORMS)) {
        Some(Form::File) => {
            let reload = fields.optional::<Vec<String>>("reload").unwrap_or_default();
            file(fields, around.hosts).map(|file| Traffic::File(TrafficFile { reload, ..file }))
        }
        Some(Form::PgBouncer) => pooler(fields, around).map(Traffic::PgBouncer),
        Some(Form::Dns) => dns(fields, around).map(Traffic::Dns),
        None => None,
    }
}

fn file(fields: &mut Fields<'_>, hosts: &Names) -> Option<TrafficFile> {
    let host = fields.need("host").and_then(|item| hosts.refer(&item));
    let path = fields.need("path").and_then(|item| path_there(&item));
    let content = fields.need("content").and_then(|item| {
        let text = item.read::<String>()?;
        if text.contains("{host}") || text.contains("{server}") {
            return Some(text);
        }
        item.refuse("name the server with `{host}` (and `{port}`) or `{server}`: without it nothing would ever move")
    });
    Some(TrafficFile { host: HostId::new(host?), path: path?, content: content?, reload: Vec::new() })
}

fn pooler(fields: &mut Fields<'_>, around: &mut Around<'_>) -> Option<TrafficPooler> {
    let file = file(fields, around.hosts);
    fields.forbid(&["reload"], "PgBouncer is told at its console");
    let base = around.base;
    let console = fields.need("console").and_then(|item| item.table(|fields| console(fields, base)));
    let database = fields.optional::<Line>("database").map(|line| line.0);
    Some(TrafficPooler { file: file?, console: console?, database })
}

fn console(fields: &mut Fields<'_>, base: &Path) -> Option<Console> {
    let host = fields.required::<Line>("host");
    let port = fields.take("port").map_or(Some(6432), |item| port(&item));
    let user = fields.optional::<Line>("user").map_or_else(|| "pgbouncer".to_owned(), |line| line.0);
    let password = fields.take("password").and_then(|item| secret_ref(&item, base));
    let tls = fields.take("tls").map_or(Some(TlsMode::Off), |item| item.choice(&TLS));
    Some(Console { host: host?.0, port: port?, user, password, tls: tls? })
}

fn dns(fields: &mut Fields<'_>, around: &mut Around<'_>) -> Option<TrafficDns> {
    let server = fields.required::<Line>("server");
    let port = fields.take("port").map_or(Some(53), |item| port(&item));
    let zone = fields.need("zone").and_then(|item| name(&item));
    let record = fields.need("name").and_then(|item| {
        let record = name(&item)?;
        let outside = zone.as_ref().is_some_and(|zone| !absolute(zone).zone_of(&absolute(&record)));
        if outside { item.refuse("lie in `zone`") } else { Some(record) }
    });
    let ttl = fields.take("ttl").map_or(Some(TTL_S), |item| match item.read::<i64>()? {
        ttl @ 1..=LONGEST_TTL_S => u32::try_from(ttl).ok(),
        _ => item.refuse("lie between 1 and 86400 seconds"),
    });
    let key = fields.need("key").and_then(|item| name(&item));
    let algorithm = fields.take("algorithm").map_or(Some(KeyAlgorithm::HmacSha256), |item| item.choice(&ALGORITHMS));
    let secret = fields.need("secret").and_then(|item| secret_ref(&item, around.base));
    let mut addresses = Vec::new();
    for (server, item) in fields.entries("addresses") {
        if let Some(address) = address(&item) {
            addresses.push((ServerId::new(server.value.clone()), address));
        }
        around.standbys.push(Located { value: server.value, place: server.place });
    }
    let (server, zone, name, key) = (server?.0, zone?, record?, key?);
    Some(TrafficDns {
        server,
        port: port?,
        zone,
        name,
        ttl: ttl?,
        key,
        algorithm: algorithm?,
        secret: secret?,
        addresses,
    })
}

fn absolute(name: &str) -> Name {
    let mut name = Name::from_ascii(name).unwrap_or_default();
    name.set_fqdn(true);
    name
}

fn name(item: &Item<'_>) -> Option<String> {
    let text = item.read::<Line>()?.0;
    match Name::from_ascii(&text) {
        Ok(name) if !name.is_root() => Some(text.trim_end_matches('.').to_owned()),
        _ => item.refuse("be a DNS name such as db.example.org"),
    }
}

fn address(item: &Item<'_>) -> Option<String> {
    let text = item.read::<Line>()?.0;
    if text.parse::<IpAddr>().is_ok() { Some(text) } else { name(item) }
}
