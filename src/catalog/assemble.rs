//! Sightings of all stores joined into backups: the same backup in two stores is one with two copies.

use super::fold::{Stray, note};
use super::moving::Moving;
use super::sidecars::History;
use super::sighting::{Sighting, base_name, mark, stem_and_family, word};
use super::snapshot::{Catalog, StoreScan, Unrecognised};
use super::{chain, window};
use crate::model::backup::{Backup, BackupKind, Labels, TimeSource};
use crate::model::content::{Content, Form};
use crate::model::estate::Estate;
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::time::Timestamp;
use crate::model::wal::LogTimeline;
use std::collections::HashSet;

/// What one store gave, ready to be joined.
#[derive(Debug)]
pub(super) struct Part {
    pub scan: StoreScan,
    pub sightings: Vec<Sighting>,
    pub logs: Vec<LogTimeline>,
    pub strays: Vec<Stray>,
    pub moving: Vec<Moving>,
    pub histories: Vec<History>,
}

pub(super) fn assemble(estate: &Estate, mut parts: Vec<Part>, scanned_at: Option<Timestamp>) -> Catalog {
    let mut sightings: Vec<Sighting> = Vec::new();
    for part in &mut parts {
        // Many sightings are in one store as a rule: theirs are taken over as they lie.
        if sightings.is_empty() {
            sightings = std::mem::take(&mut part.sightings);
        } else {
            sightings.append(&mut part.sightings);
        }
    }
    // Stable: within one backup the stores keep their configured order.
    sightings.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut taken = HashSet::with_capacity(sightings.len());
    let mut backups: Vec<Backup> = Vec::with_capacity(sightings.len());
    let mut sightings = sightings.into_iter().peekable();
    while let Some(first) = sightings.next() {
        let mut same = vec![first];
        while let Some(next) = sightings.next_if(|next| key(next) == key(&same[0])) {
            same.push(next);
        }
        let clusters = cluster(same);
        let alone = clusters.len() == 1;
        backups.extend(clusters.into_iter().map(|cluster| join(cluster, alone, &mut taken)));
    }
    drop(sightings);
    drop(taken);
    backups.shrink_to_fit();
    for part in &mut parts {
        apply_moving(&mut backups, part);
        apply_strays(&mut backups, part);
        apply_histories(&mut backups, std::mem::take(&mut part.histories));
    }
    chain::resolve(&mut backups);
    backups.sort_unstable_by(|a, b| b.taken_at.cmp(&a.taken_at).then_with(|| a.id.cmp(&b.id)));
    let mut unrecognised = Unrecognised::default();
    for part in &parts {
        let of_store = &part.scan.unrecognised;
        unrecognised.count += of_store.count;
        unrecognised.bytes = unrecognised.bytes.saturating_add(of_store.bytes);
        let room = Unrecognised::SAMPLES.saturating_sub(unrecognised.samples.len());
        unrecognised.samples.extend(of_store.samples.iter().take(room).cloned());
    }
    let mut logs = Vec::new();
    let mut stores = Vec::new();
    for part in parts {
        logs.extend(part.logs);
        stores.push(part.scan);
    }
    let windows = window::of_all(estate, &backups, &logs);
    Catalog { backups, logs, stores, unrecognised, windows, scanned_at }
}

/// What makes two sightings the same backup. The instant is the earliest that the name may mean, which
/// does not depend on modification times; these differ from store to store.
fn key(of: &Sighting) -> (&AssetId, BackupKind, Timestamp, &[(String, String)], &str) {
    (&of.asset, of.kind, whole_seconds(of.reading.first()), &of.captures, &of.tag)
}

/// Stamps with fractions differ between tools; a whole second is what an identifier says.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}

/// Sightings of one key, parted into artefacts. In the usual case there is one.
fn cluster(sightings: Vec<Sighting>) -> Vec<Vec<Sighting>> {
    let mut clusters: Vec<Vec<Sighting>> = Vec::new();
    for sighting in sightings {
        let same_name = |c: &&mut Vec<Sighting>| {
            c.iter().all(|s| s.name() == sighting.name() && s.is_folder() == sighting.is_folder())
                && c.iter()
                    .all(|s| s.copy.store != sighting.copy.store || s.copy.size_bytes == sighting.copy.size_bytes)
        };
        match clusters.iter_mut().find(same_name) {
            Some(cluster) => cluster.push(sighting),
            None => clusters.push(vec![sighting]),
        }
    }
    // Names that differ (a re-upload into another layout) are the same backup where each store has one.
    let mut joined: Vec<Vec<Sighting>> = Vec::new();
    for cluster in clusters {
        let fits = |other: &&mut Vec<Sighting>| {
            let apart = other.iter().all(|a| cluster.iter().all(|b| a.copy.store != b.copy.store));
            let family = |c: &[Sighting]| c.first().map(|s| stem_and_family(&s.copy.path).1);
            apart && family(other) == family(&cluster)
        };
        match joined.iter_mut().find(fits) {
            Some(other) => other.extend(cluster),
            None => joined.push(cluster),
        }
    }
    joined
}

fn join(sightings: Vec<Sighting>, alone: bool, taken: &mut HashSet<BackupId>) -> Backup {
    let modified = sightings.iter().filter_map(|s| s.copy.modified_at).min();
    let first = &sightings[0];
    let (taken_at, ambiguous_with) = first.reading.settle(modified);
    let id = identity(first, alone, taken);
    let mut backup = Backup {
        id,
        asset: first.asset.clone(),
        kind: first.kind,
        taken_at,
        time_source: first.time_source,
        ambiguous_with,
        size_bytes: 0,
        complete: None,
        incomplete_because: Vec::new(),
        encrypted: None,
        content: first.is_folder().then(|| Content { wrapped: Vec::new(), form: Form::Tree }),
        copies: Vec::with_capacity(sightings.len()),
        chain: None,
        sidecars: Vec::new(),
        proof: None,
        labels: Labels::new(),
    };
    let stores = sightings.len();
    for sighting in sightings {
        if let Some(members) = &sighting.members {
            let layout = match (members.is_base(), members.log_segments) {
                (true, _) => Some("pg_basebackup"),
                (false, 1..) => Some("wal"),
                _ => None,
            };
            if let Some(layout) = layout {
                backup.labels.insert(window::LAYOUT.to_owned(), layout.to_owned());
            }
            if members.brings_its_log() {
                backup.labels.insert(window::OWN_LOG.to_owned(), "pg_wal.tar".to_owned());
            }
        }
        // A good copy makes a backup restorable; a bad one is told all the same.
        backup.complete = match (backup.complete, sighting.complete) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), _) | (_, Some(false)) => Some(false),
            _ => None,
        };
        for why in sighting.because {
            let line = if stores > 1 { format!("copy in `{}`: {why}", sighting.copy.store) } else { why };
            backup.incomplete_because.push(line);
        }
        backup.size_bytes = backup.size_bytes.max(sighting.copy.size_bytes);
        backup.encrypted = backup.encrypted.or(sighting.encrypted);
        backup.content = backup.content.or(sighting.content);
        backup.chain = backup.chain.or(sighting.chain);
        backup.sidecars.extend(sighting.sidecars);
        backup.labels.extend(sighting.captures);
        backup.labels.extend(sighting.labels);
        if sighting.time_source == TimeSource::Name {
            backup.time_source = TimeSource::Name;
        }
        backup.copies.push(sighting.copy);
    }
    backup
}

/// `<asset>-<kind>-<instant>`, with captured parts, the artefact's word, and a mark where two still differ.
fn identity(first: &Sighting, alone: bool, taken: &mut HashSet<BackupId>) -> BackupId {
    let mut id = format!("{}-{}-{}", first.asset, first.kind, first.reading.first().format("%Y%m%dT%H%M%SZ"));
    for part in
        first.captures.iter().map(|(_, part)| word(part)).chain([first.tag.to_string()]).filter(|p| !p.is_empty())
    {
        id.push('-');
        id.push_str(&part);
    }
    if !alone {
        id.push('-');
        id.push_str(&mark(base_name(&first.copy.path)));
    }
    let mut unique = BackupId::new(&*id);
    if !taken.insert(unique.clone()) {
        unique = BackupId::new(format!("{id}-{}", mark(&format!("{}:{}", first.copy.store, first.copy.path))));
        taken.insert(unique.clone());
    }
    unique
}

fn holder<'b>(backups: &'b mut [Backup], store: &StoreId, path: &str) -> Option<&'b mut Backup> {
    backups.iter_mut().find(|b| b.copies.iter().any(|c| &c.store == store && c.path == path))
}

fn apply_moving(backups: &mut [Backup], part: &Part) {
    for moving in &part.moving {
        if let Some(backup) = holder(backups, &part.scan.id, &moving.target) {
            backup.labels.insert(moving.alias.clone(), format!("{}: {}", part.scan.id, moving.path));
        }
    }
}

/// A stray belongs to the backup of its instant; else the newest of its asset carries the mark, so that the
/// leak is seen.
fn apply_strays(backups: &mut [Backup], part: &mut Part) {
    for stray in part.strays.drain(..) {
        let instant = stray.reading.map(|r| whole_seconds(r.first()));
        let of_instant = |b: &Backup| {
            instant.is_some()
                && (instant == Some(whole_seconds(b.taken_at)) || instant == b.ambiguous_with.map(whole_seconds))
        };
        let of_asset = || backups.iter().enumerate().filter(|(_, b)| b.asset == stray.asset);
        let index = of_asset()
            .find(|(_, b)| of_instant(b))
            .or_else(|| of_asset().max_by_key(|(_, b)| b.taken_at))
            .map(|(index, _)| index);
        let name = format!("{}: {}", part.scan.id, stray.path);
        if let Some(index) = index {
            backups[index].labels.entry(PLAINTEXT.to_owned()).or_insert(name);
        } else {
            let reason = "plaintext of an archive that should be encrypted";
            note(&mut part.scan.unrecognised, &part.scan.id, &stray.path, stray.size, Some(reason));
        }
    }
}

/// A backup history file belongs to the base backup that its label names; where the label is the tool's
/// own, to the one that a script began shortly before.
fn apply_histories(backups: &mut [Backup], histories: Vec<History>) {
    const SHORTLY: chrono::Duration = chrono::Duration::minutes(15);
    for History { asset, label, sidecar } in histories {
        let is_base = |b: &Backup| {
            b.asset == asset && b.labels.get(window::LAYOUT).is_some_and(|layout| layout == "pg_basebackup")
        };
        let named = |b: &Backup| b.copies.iter().any(|c| Some(base_name(&c.path)) == label.label());
        let began = |b: &Backup| label.started().map(|at| at - b.taken_at).filter(|d| *d >= chrono::Duration::zero());
        let bases = || backups.iter().enumerate().filter(|(_, b)| is_base(b));
        let index = bases().find(|(_, b)| named(b)).map(|(i, _)| i).or_else(|| {
            let near = bases().filter_map(|(i, b)| began(b).filter(|d| *d <= SHORTLY).map(|d| (d, i)));
            near.min().map(|(_, i)| i)
        });
        if let Some(backup) = index.and_then(|i| backups.get_mut(i))
            && !backup.sidecars.iter().any(|s| s.store == sidecar.store && s.path == sidecar.path)
        {
            backup.sidecars.push(sidecar);
        }
    }
}

/// Label of a backup beside whose encrypted archive the same thing lies in plain text.
pub const PLAINTEXT: &str = "plaintext-beside";
