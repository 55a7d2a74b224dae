//! What an earlier scan already knows of a store: read once, not again while the bytes are the same.

use super::sighting::Sighting;
use super::snapshot::Catalog;
use super::window;
use crate::model::backup::{Backup, Copy, Sidecar};
use crate::model::id::StoreId;
use crate::model::wal::LogTimeline;
use crate::stores::Pin;
use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct Known<'p> {
    store: StoreId,
    by_path: HashMap<&'p str, (&'p Backup, &'p Copy)>,
    pub logs: Vec<&'p LogTimeline>,
}

impl<'p> Known<'p> {
    pub(super) fn of(previous: &'p Catalog, store: &StoreId) -> Self {
        let copies = previous.backups.iter().flat_map(|b| b.copies.iter().map(move |c| (b, c)));
        Self {
            store: store.clone(),
            by_path: copies.filter(|(_, c)| &c.store == store).map(|(b, c)| (c.path.as_str(), (b, c))).collect(),
            logs: previous.logs.iter().filter(|l| &l.store == store).collect(),
        }
    }

    pub(super) fn copies(&self) -> impl Iterator<Item = (&'p Backup, &'p Copy)> + '_ {
        self.by_path.values().copied()
    }

    /// The backup of which `copy` was seen with the very same bytes.
    pub(super) fn same(&self, copy: &Copy) -> Option<&'p Backup> {
        let (backup, before) = self.by_path.get(copy.path.as_str())?;
        let same = before.objects == copy.objects && pin(before) == pin(copy) && pin(copy).mark() != "";
        same.then_some(*backup)
    }

    /// A sidecar that was read before, if neither it nor what it is about has changed.
    pub(super) fn sidecar(&self, copy: &Copy, path: &str, mark: &str) -> Option<&'p Sidecar> {
        if mark.is_empty() {
            return None;
        }
        let sidecars = &self.same(copy)?.sidecars;
        sidecars.iter().find(|s| s.store == self.store && s.path == path && s.pin.as_deref() == Some(mark))
    }

    /// Takes up what sidecars that are not read again said of a sighting whose bytes are the same.
    pub(super) fn resume(&self, sighting: &mut Sighting) {
        let Some(backup) = self.same(&sighting.copy) else {
            return;
        };
        if sighting.chain.is_none() {
            sighting.chain.clone_from(&backup.chain);
        }
        let because = self.because(backup);
        // What the listing itself tells was found anew.
        let said = |why: &String| backup.sidecars.iter().any(|s| why.starts_with(&format!("{}: ", s.name)));
        let old: Vec<String> = because.into_iter().filter(said).filter(|why| !sighting.because.contains(why)).collect();
        if !old.is_empty() {
            sighting.complete = Some(false);
            sighting.because.extend(old);
        } else if sighting.because.is_empty() && backup.complete == Some(true) {
            sighting.complete = Some(true);
        }
    }

    /// Why this store's copy of a backup is incomplete.
    fn because(&self, backup: &Backup) -> Vec<String> {
        let single = backup.copies.len() == 1;
        let own = format!("copy in `{}`: ", self.store);
        let lines = backup.incomplete_because.iter();
        lines.filter_map(|why| why.strip_prefix(&own).or(single.then_some(why.as_str()))).map(str::to_owned).collect()
    }

    /// Gives a sighting that was taken from the earlier scan everything that this scan knew of it.
    pub(super) fn revive(&self, sighting: &mut Sighting) {
        let Some((backup, _)) = self.by_path.get(sighting.copy.path.as_str()) else {
            return;
        };
        sighting.content.clone_from(&backup.content);
        sighting.encrypted = backup.encrypted;
        sighting.chain.clone_from(&backup.chain);
        sighting.sidecars = backup.sidecars.iter().filter(|s| s.store == self.store).cloned().collect();
        sighting.because = self.because(backup);
        sighting.complete = if sighting.because.is_empty() { backup.complete.filter(|c| *c) } else { Some(false) };
        let place = format!("{}: ", self.store);
        let keep = |(key, value): &(&String, &String)| {
            [window::LAYOUT, window::OWN_LOG].contains(&key.as_str()) || value.starts_with(&place)
        };
        let labels = backup.labels.iter().filter(keep).map(|(k, v)| (k.clone(), v.clone()));
        sighting.labels.extend(labels);
    }
}

/// The identity of a copy's bytes; of a folder, as far as its newest member tells.
pub fn pin(copy: &Copy) -> Pin {
    Pin { size: copy.size_bytes, etag: copy.etag.clone(), modified: copy.modified_at }
}
