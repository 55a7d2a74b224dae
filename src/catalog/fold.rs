//! One store's names, streaming by in any order, folded into sightings, logs and leftovers.
//!
//! Memory grows with backups and holes in the log, never with objects.

use super::exposed;
use super::pattern::{Matched, NameTime, Reading};
use super::sidecars::{Loose, SidecarKind};
use super::sighting::{self, Members, REMEMBERED, Sighting, base_name};
use super::snapshot::Unrecognised;
use super::sources::{Compiled, Sources};
use super::wal::{Folded, LogFold, WalName};
use crate::model::backup::{BackupKind, Copy, Labels, TimeSource};
use crate::model::id::{AssetId, StoreId};
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::stores::{ObjectMeta, Page};
use std::collections::HashMap;
use std::sync::Arc;

/// Sidecars outside of folder backups, and stray plaintexts, that are remembered per store.
const LOOSE: usize = 20_000;
/// Longest name shown in a sample, in characters.
const SAMPLE: usize = 160;

#[derive(Debug)]
pub(super) struct StoreFold<'e> {
    store: StoreId,
    sources: Arc<Sources<'e>>,
    found: Found,
    logs: LogFold,
    folders: Vec<HashMap<String, Folder>>,
}

/// What the fold of one store comes to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub objects: u64,
    pub bytes: u64,
    pub sightings: Vec<Sighting>,
    pub log: Folded,
    pub loose: Vec<Loose>,
    pub strays: Vec<Stray>,
    pub unrecognised: Unrecognised,
}

/// An unencrypted file where only encrypted ones should be.
#[derive(Clone, Debug)]
pub(super) struct Stray {
    pub asset: AssetId,
    pub reading: Option<Reading>,
    pub path: String,
    pub size: u64,
}

#[derive(Debug)]
struct Folder {
    sighting: Sighting,
    members: Members,
}

impl<'e> StoreFold<'e> {
    pub(super) fn new(sources: Sources<'e>, store: &StoreId) -> Self {
        let mut found = Found::default();
        found.unrecognised.samples.extend(sources.broken.iter().map(|line| format!("{store}: {line}")));
        let folders = sources.entries.iter().map(|_| HashMap::new()).collect();
        Self { store: store.clone(), sources: Arc::new(sources), found, logs: LogFold::default(), folders }
    }

    pub(super) fn objects(&self) -> u64 {
        self.found.objects
    }

    pub(super) fn page(&mut self, page: Page) {
        for meta in page.objects {
            self.object(meta);
        }
        for (name, reason) in page.skipped {
            self.found.objects += 1;
            note(&mut self.found.unrecognised, &self.store, &name, 0, Some(&reason));
        }
    }

    fn object(&mut self, meta: ObjectMeta) {
        self.found.objects += 1;
        self.found.bytes = self.found.bytes.saturating_add(meta.size);
        if leaves_its_folder(&meta.name) {
            return self.leave(&meta, Some("its name would leave the store's folder"));
        }
        // Consoles of object stores create empty objects as folders.
        if meta.name.ends_with('/') && meta.size == 0 {
            return;
        }
        let sidecar = SidecarKind::of(base_name(&meta.name));
        let mut reason = None;
        let sources = Arc::clone(&self.sources);
        for (index, entry) in sources.entries.iter().enumerate() {
            let Some(matched) = entry.pattern.matches(&meta.name) else {
                continue;
            };
            if entry.is_log() {
                if let Some(name) = WalName::parse(base_name(&meta.name)) {
                    return self.logs.add(entry.asset_index, name, &meta);
                }
                if matched.time.is_none() {
                    continue;
                }
            }
            if sidecar.is_some() && matched.folder.is_none() && entry.yields_to_sidecars() {
                continue;
            }
            match read_time(entry, &matched, meta.modified) {
                Ok((reading, source)) => return self.sighted(index, entry, &matched, &meta, (reading, source)),
                Err(why) => reason = reason.or(Some(why)),
            }
        }
        self.unmatched(meta, sidecar, reason);
    }

    fn unmatched(&mut self, meta: ObjectMeta, sidecar: Option<SidecarKind>, reason: Option<&'static str>) {
        for entry in &self.sources.entries {
            if let Some(matched) = entry.strays.iter().find_map(|p| p.matches(&meta.name)) {
                if self.found.strays.len() < LOOSE {
                    let reading = read_time(entry, &matched, meta.modified).ok().map(|(reading, _)| reading);
                    let (asset, path) = (entry.asset.id.clone(), meta.name);
                    self.found.strays.push(Stray { asset, reading, path, size: meta.size });
                }
                return;
            }
        }
        match sidecar {
            Some(kind) if self.found.loose.len() < LOOSE => self.found.loose.push(Loose { kind, meta }),
            _ => self.leave(&meta, reason),
        }
    }

    fn leave(&mut self, meta: &ObjectMeta, reason: Option<&str>) {
        // A secret that leaked matters more than why its name could not be read.
        let reason = exposed::by_name(&meta.name).or(reason);
        note(&mut self.found.unrecognised, &self.store, &meta.name, meta.size, reason);
    }

    fn sighted(
        &mut self,
        index: usize,
        entry: &Compiled<'_>,
        matched: &Matched<'_, '_>,
        meta: &ObjectMeta,
        time: (Reading, TimeSource),
    ) {
        let copy = sighting::copy_of(&self.store, meta);
        let Some(length) = matched.folder else {
            return self.found.sightings.push(sight(entry, index, matched, time, copy));
        };
        let (path, member) = meta.name.split_at(length);
        if !self.folders[index].contains_key(path) {
            let copy = Copy { path: path.to_owned(), size_bytes: 0, objects: 0, etag: None, ..copy };
            let sighting = sight(entry, index, matched, time, copy);
            let members = Members { required_seen: vec![false; entry.required.len()], ..Members::default() };
            self.folders[index].insert(path.to_owned(), Folder { sighting, members });
        }
        if let Some(folder) = self.folders[index].get_mut(path)
            && let Some(name) = folder.add(entry, member, meta)
        {
            self.logs.add(entry.asset_index, name, meta);
        }
    }

    /// Takes up a copy that an earlier scan saw, for a store that cannot be asked now.
    pub(super) fn recall(&mut self, copy: &Copy, required_missing: bool) {
        let name = if copy.path.ends_with('/') || copy.path.is_empty() {
            format!("{}\u{1}", copy.path)
        } else {
            copy.path.clone()
        };
        for (index, entry) in self.sources.entries.iter().enumerate() {
            let Some(matched) = entry.pattern.matches(&name) else { continue };
            if matched.folder.is_some() != (name.len() > copy.path.len()) {
                continue;
            }
            let Ok(time) = read_time(entry, &matched, copy.modified_at) else { continue };
            let mut sighting = sight(entry, index, &matched, time, copy.clone());
            if matched.folder.is_some() {
                let seen = vec![!required_missing; entry.required.len()];
                sighting.members = Some(Box::new(Members { required_seen: seen, more: true, ..Members::default() }));
            }
            self.found.sightings.push(sighting);
            return;
        }
    }

    pub(super) fn finish(mut self, assets: &[AssetId]) -> Found {
        for (index, folders) in self.folders.into_iter().enumerate() {
            let entry = &self.sources.entries[index];
            for folder in folders.into_values() {
                self.found.sightings.push(folder.finish(entry));
            }
        }
        for sighting in &mut self.found.sightings {
            if sighting.copy.size_bytes == 0 {
                sighting.complete = Some(false);
                sighting.because.push("it is empty".to_owned());
            }
        }
        // Pages arrive in any order; everything after this must not depend on it.
        self.found.sightings.sort_unstable_by(|a, b| a.copy.path.cmp(&b.copy.path));
        self.found.loose.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
        self.found.strays.sort_by(|a, b| a.path.cmp(&b.path));
        self.found.log = self.logs.finish(assets, &self.store);
        self.found
    }
}

impl Folder {
    /// Counts a member. A log segment that lies in an incremental also belongs to the asset's log.
    fn add(&mut self, entry: &Compiled<'_>, member: &str, meta: &ObjectMeta) -> Option<WalName> {
        let copy = &mut self.sighting.copy;
        copy.objects += 1;
        copy.size_bytes = copy.size_bytes.saturating_add(meta.size);
        copy.modified_at = sighting::newest(copy.modified_at, meta.modified);
        if rank(meta.storage_class.as_deref()) > rank(copy.storage_class.as_deref()) {
            copy.storage_class.clone_from(&meta.storage_class);
        }
        for (seen, (name, pattern)) in self.members.required_seen.iter_mut().zip(&entry.required) {
            *seen |= name == member || pattern.as_ref().is_some_and(|p| p.matches(member).is_some());
        }
        if member.contains('/') || member.is_empty() {
            return None;
        }
        if let Some(kind) = SidecarKind::of(member) {
            self.members.sidecars.push(Loose { kind, meta: meta.clone() });
        }
        if matches!(entry.source.kind, BackupKind::Incremental | BackupKind::Differential)
            && entry.asset.kind == crate::model::estate::AssetKind::PostgreSql
            && let Some(name) = WalName::parse(member)
        {
            self.members.log_segments += 1;
            return Some(name);
        }
        self.members.remember(member, meta.size);
        None
    }

    fn finish(self, entry: &Compiled<'_>) -> Sighting {
        let Folder { mut sighting, mut members } = self;
        members.top.sort();
        members.trim();
        if !entry.required.is_empty() {
            sighting.complete = Some(true);
        }
        for ((name, _), _) in entry.required.iter().zip(&members.required_seen).filter(|(_, seen)| !**seen) {
            sighting.complete = Some(false);
            sighting.because.push(format!("its member `{}` is missing", escaped(name)));
        }
        sighting.members = Some(Box::new(members));
        sighting
    }
}

impl Members {
    /// Keeps the first names in order, so that what is kept does not depend on the order of pages; names
    /// that tell base backups apart are always kept.
    fn remember(&mut self, name: &str, size: u64) {
        self.top.push((name.to_owned(), size));
        if self.top.len() > 2 * REMEMBERED {
            self.trim();
        }
    }

    fn trim(&mut self) {
        let telling = |n: &str| {
            n.starts_with("base.tar") || n.starts_with("pg_wal.tar") || n == "PG_VERSION" || n == "backup_manifest"
        };
        if self.top.len() > REMEMBERED {
            self.more = true;
            self.top.sort_by(|a, b| (!telling(&a.0), &a.0).cmp(&(!telling(&b.0), &b.0)));
            self.top.truncate(REMEMBERED);
        }
    }
}

fn sight(
    entry: &Compiled<'_>,
    index: usize,
    matched: &Matched<'_, '_>,
    time: (Reading, TimeSource),
    copy: Copy,
) -> Sighting {
    let mut captures: Vec<(String, String)> =
        matched.captures.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    captures.sort();
    let mut labels = Labels::new();
    if let Some(other) = matched.other_stamp {
        labels.insert("other-time-in-name".to_owned(), other.to_owned());
    }
    Sighting {
        asset: entry.asset.id.clone(),
        kind: entry.source.kind,
        source: index,
        tag: entry.tag.clone(),
        reading: time.0,
        time_source: time.1,
        stamp: matched.stamp.map(str::to_owned),
        captures,
        alias: matched.alias.map(str::to_owned),
        copy,
        members: None,
        complete: None,
        because: Vec::new(),
        content: None,
        encrypted: None,
        chain: None,
        sidecars: Vec::new(),
        labels,
    }
}

fn read_time(
    entry: &Compiled<'_>,
    matched: &Matched<'_, '_>,
    modified: Option<Timestamp>,
) -> Result<(Reading, TimeSource), &'static str> {
    match (matched.time, modified) {
        (Some(NameTime::Exact(at)), _) => Ok((Reading::Once(at), TimeSource::Name)),
        (Some(NameTime::Local(local)), _) => Ok((Reading::of(local, entry.zone), TimeSource::Name)),
        (Some(NameTime::Impossible), _) => Err("the time in its name is in no calendar"),
        (None, Some(at)) => Ok((Reading::Once(at), TimeSource::Modified)),
        (None, None) => Err("neither its name nor the store tells its time"),
    }
}

fn leaves_its_folder(name: &str) -> bool {
    name.starts_with('/') || name.split('/').any(|part| part == ".." || part == ".")
}

/// How far away the bytes are: a folder is as slow to restore as its coldest member.
fn rank(class: Option<&str>) -> u8 {
    match class {
        None => 0,
        Some(class) if class.contains("DEEP_ARCHIVE") => 4,
        Some("GLACIER") => 3,
        Some("GLACIER_IR") => 2,
        Some(_) => 1,
    }
}

pub(super) fn note(into: &mut Unrecognised, store: &StoreId, name: &str, size: u64, reason: Option<&str>) {
    into.count += 1;
    into.bytes = into.bytes.saturating_add(size);
    let shown = escaped(name);
    let mut line = format!("{store}: {}", shown.chars().take(SAMPLE).collect::<String>());
    if shown.chars().count() > SAMPLE {
        line.push('…');
    }
    if let Some(reason) = reason {
        line.push_str(&format!(" ({reason})"));
    }
    // The first in order are kept, whatever the order of pages; reasons come before plain names.
    let key = |line: &String| (!line.ends_with(')'), line.clone());
    let place = into.samples.partition_point(|other| key(other) <= key(&line));
    if place < Unrecognised::SAMPLES {
        into.samples.insert(place, line);
        into.samples.truncate(Unrecognised::SAMPLES);
    }
}
