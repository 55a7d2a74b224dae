//! What a rule looks at: one asset with everything the catalog knows of it.

use super::finding::CopyCount;
use crate::catalog::{Catalog, RecoveryWindow, ScanStatus, StoreScan, is_moving};
use crate::model::backup::{Backup, BackupKind};
use crate::model::estate::{Asset, Estate, Source, StorePlace};
use crate::model::proof::ProofOutcome;
use crate::model::time::Timestamp;
use crate::model::wal::LogTimeline;
use std::collections::BTreeSet;

pub struct Subject<'a> {
    pub asset: &'a Asset,
    pub estate: &'a Estate,
    pub catalog: &'a Catalog,
    /// All backups of the asset, newest first.
    pub backups: Vec<&'a Backup>,
    pub now: Timestamp,
}

impl<'a> Subject<'a> {
    pub fn new(asset: &'a Asset, estate: &'a Estate, catalog: &'a Catalog, now: Timestamp) -> Self {
        let backups = catalog.backups.iter().filter(|b| b.asset == asset.id).collect();
        Self { asset, estate, catalog, backups, now }
    }

    pub fn window(&self) -> Option<&'a RecoveryWindow> {
        self.catalog.windows.iter().find(|w| w.asset == self.asset.id)
    }

    pub fn logs(&self) -> impl Iterator<Item = &'a LogTimeline> + '_ {
        self.catalog.logs.iter().filter(|log| log.asset == self.asset.id)
    }

    /// Stores of this asset whose present content is not known: absence there proves nothing.
    pub fn blind_spots(&self) -> Vec<&'a StoreScan> {
        self.catalog
            .stores
            .iter()
            .filter(|scan| scan.status != ScanStatus::Ok)
            .filter(|scan| self.asset.sources.iter().any(|source| source.store == scan.id))
            .collect()
    }

    /// A backup that one may hope to restore: not known to be incomplete, empty or proven bad.
    pub fn is_usable(backup: &Backup) -> bool {
        backup.complete != Some(false)
            && backup.size_bytes > 0
            && backup.proof.as_ref().is_none_or(|proof| proof.outcome != ProofOutcome::Failed)
    }

    /// Newest usable backup; log segments are counted by [`Subject::newest_point`]. A moving name of bytes that
    /// no dated backup has counts only where nothing is dated: its time is when somebody last wrote it.
    pub fn newest_usable(&self) -> Option<&'a Backup> {
        let usable = || self.backups.iter().copied().filter(|backup| Self::is_usable(backup));
        usable().find(|backup| !is_moving(backup)).or_else(|| usable().next())
    }

    /// The newest instant to which the asset can be restored.
    pub fn newest_point(&self) -> Option<Timestamp> {
        let backup = self.newest_usable().map(|backup| backup.taken_at);
        let span = self.window().and_then(|w| w.spans.iter().map(|(_, end)| *end).max());
        backup.max(span)
    }

    /// Backups that a source brought, newest first.
    pub fn of_source(&self, source: &Source) -> impl Iterator<Item = &'a Backup> + '_ {
        let (store, kind) = (source.store.clone(), source.kind);
        self.backups.iter().copied().filter(move |b| b.kind == kind && b.copies.iter().any(|c| c.store == store))
    }

    /// When a source last brought anything: a backup, or for a log source its newest segment.
    pub fn last_arrival(&self, source: &Source) -> Option<Timestamp> {
        if source.kind == BackupKind::Log {
            return self
                .logs()
                .filter(|log| log.store == source.store)
                .filter_map(|log| log.ranges.iter().filter_map(|range| range.last_modified).max())
                .max();
        }
        self.of_source(source).map(|backup| backup.taken_at).max()
    }

    /// Copies, media and off-site copies of a backup. The live data is a copy on disk, on site.
    pub fn copies_of(&self, backup: &Backup) -> CopyCount {
        let live = self.asset.server.is_some()
            || self.asset.path.is_some()
            || !self.asset.trees.is_empty()
            || self.asset.images.is_some();
        let on_site: BTreeSet<&str> = self
            .estate
            .stores
            .iter()
            .filter(|store| matches!(store.place, StorePlace::Local { .. }))
            .map(|store| store.site.as_str())
            .chain(["local"])
            .collect();
        let mut media: BTreeSet<&str> = live.then_some("disk").into_iter().collect();
        let mut off_site = 0;
        for store in backup.copies.iter().filter_map(|copy| self.estate.store(&copy.store)) {
            media.insert(&store.medium);
            off_site += u32::from(!on_site.contains(store.site.as_str()));
        }
        CopyCount { total: backup.copies.len() as u32 + u32::from(live), media: media.len() as u32, off_site }
    }
}
