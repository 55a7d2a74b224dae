//! `[[assets.sources]]`: one place and naming scheme of an asset's backups.

use super::asset::Scope;
use super::names::Zone;
use crate::catalog::{Pattern, PatternError};
use crate::located::{Fields, Item, Problem};
use crate::model::backup::BackupKind;
use crate::model::estate::{Schedule, Source};
use crate::model::id::{KeyId, StoreId};
use crate::model::key::Key;
use crate::model::objective::Retention;
use crate::model::size::ByteCount;
use std::str::FromStr;
use std::time::Duration;

const KINDS: [(&str, BackupKind); 6] = [
    ("full", BackupKind::Full),
    ("incremental", BackupKind::Incremental),
    ("differential", BackupKind::Differential),
    ("log", BackupKind::Log),
    ("snapshot", BackupKind::Snapshot),
    ("archive", BackupKind::Archive),
];

pub(super) fn source(fields: &mut Fields<'_>, scope: &Scope<'_>) -> Option<Source> {
    let store = fields.need("store").and_then(|item| scope.stores.refer(&item));
    let pattern = fields.need("match").and_then(|item| pattern(&item));
    let kind = fields.need("kind").and_then(|item| item.choice(&KINDS));
    let schedule = schedule(fields);
    let retention = fields.table("retention", retention);
    let min_size = fields.optional::<ByteCount>("min_size").map(|size| size.0);
    let encrypted = fields.optional::<bool>("encrypted");
    let key = fields.take("key").and_then(|item| key(&item, scope));
    if let (Some(false), Some(key)) = (encrypted, &key) {
        let message = format!("`encrypted = false` and key `{}` contradict each other", key.id);
        fields.report(
            Problem::at(&fields.place, message).help("a source with a `key` is encrypted; leave `encrypted` out"),
        );
    }
    let time_zone = fields.optional::<Zone>("time_zone").map(|zone| zone.0);
    let required = fields.optional::<Vec<String>>("required").unwrap_or_default();
    Some(Source {
        store: StoreId::new(store?),
        pattern: pattern?,
        kind: kind?,
        schedule,
        retention,
        min_size,
        encrypted: encrypted.unwrap_or(key.is_some()),
        key,
        time_zone,
        required,
    })
}

fn key(item: &Item<'_>, scope: &Scope<'_>) -> Option<Key> {
    let id = KeyId::new(scope.keys.refer(item)?);
    scope.known_keys.iter().find(|key| key.id == id).cloned()
}

pub(super) fn pattern(item: &Item<'_>) -> Option<String> {
    let text = item.read::<String>()?;
    match Pattern::parse(&text) {
        Ok(_) => Some(text),
        Err(PatternError { at, message, help }) => {
            item.report(Problem::at(&item.inside(at), message).help(help));
            None
        }
    }
}

fn schedule(fields: &mut Fields<'_>) -> Option<Schedule> {
    let every = fields.take("every");
    let cron = fields.take("schedule");
    if let (Some(_), Some(cron)) = (&every, &cron) {
        let problem = Problem::at(&cron.place, "`every` and `schedule` both say when backups are expected");
        fields.report(problem.help("keep one of them"));
    }
    match (every, cron) {
        (Some(every), _) => match every.read::<Duration>()? {
            Duration::ZERO => every.refuse("be longer than nothing"),
            span => Some(Schedule::Every(span)),
        },
        (None, Some(cron)) => {
            let text = cron.read::<String>()?;
            if let Err(error) = croner::Cron::from_str(&text) {
                let problem = Problem::at(&cron.place, format!("`schedule` is no cron expression: {error}"));
                cron.report(problem.help("five fields in UTC: minute hour day month weekday, such as \"0 2 * * *\""));
                return None;
            }
            Some(Schedule::Cron(text))
        }
        (None, None) => None,
    }
}

fn retention(fields: &mut Fields<'_>) -> Option<Retention> {
    let mut keep = |key| fields.optional::<u32>(key).unwrap_or(0);
    let retention =
        Retention { daily: keep("daily"), weekly: keep("weekly"), monthly: keep("monthly"), yearly: keep("yearly") };
    if retention == Retention::default() {
        fields.report(Problem::at(&fields.place, "this retention keeps nothing"));
        return None;
    }
    Some(retention)
}
