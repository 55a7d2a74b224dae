//! All stores listed side by side, folded, read where something is worth reading, and joined.

use super::assemble::{Part, assemble};
use super::fold::{Found, StoreFold, note};
use super::heads;
use super::known::Known;
use super::moving::{self, Moving};
use super::sidecars::{self, History, SidecarKind};
use super::sighting::Sighting;
use super::snapshot::{Catalog, ScanStatus, StoreScan, Unrecognised};
use super::sources::Sources;
use super::timeline;
use super::wal::RangeSet;
use crate::model::estate::{AssetKind, Estate};
use crate::model::id::{AssetId, StoreId};
use crate::model::text::escaped;
use crate::model::time::Clock;
use crate::model::wal::LogTimeline;
use crate::stores::{Store, StoreError, StoreErrorKind};
use futures::StreamExt;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The stores of an estate, opened or not.
pub type Stores = BTreeMap<StoreId, Result<Arc<dyn Store>, StoreError>>;

/// What a scan works with.
#[derive(Clone, Copy)]
pub struct Scan<'a> {
    pub estate: &'a Estate,
    pub stores: &'a Stores,
    /// The last catalog: its unchanged sidecars and heads are not read again, and of a store that
    /// fails, what it held is kept.
    pub previous: &'a Catalog,
    pub clock: &'a dyn Clock,
    /// Told the number of objects seen so far in a store, after every page.
    pub progress: &'a (dyn Fn(&StoreId, u64) + Sync),
}

impl Scan<'_> {
    /// Scans every configured store. It never fails: what could not be seen is told in
    /// [`Catalog::stores`].
    pub async fn all(&self) -> Catalog {
        let stores = self.estate.stores.iter().map(|config| self.store(&config.id));
        let parts = futures::future::join_all(stores).await;
        assemble(self.estate, parts, Some(self.clock.now()))
    }

    /// Scans one store and keeps what `previous` holds of the others.
    pub async fn only(&self, store: &StoreId) -> Catalog {
        let mut parts = Vec::with_capacity(self.estate.stores.len());
        for config in &self.estate.stores {
            parts.push(if &config.id == store { self.store(&config.id).await } else { self.remembered(&config.id) });
        }
        let scanned_at = self.previous.scanned_at;
        let all = parts.iter().all(|p| p.scan.status != ScanStatus::Pending);
        assemble(self.estate, parts, if all { Some(self.clock.now()) } else { scanned_at })
    }

    async fn store(&self, id: &StoreId) -> Part {
        let store = match self.stores.get(id) {
            Some(Ok(store)) => store,
            Some(Err(error)) => return self.failed(id, error),
            None => return self.remembered(id),
        };
        let known = Known::of(self.previous, id);
        let mut fold = StoreFold::new(Sources::of(self.estate, id), id);
        let mut broken = None;
        let mut pages = store.list("", None);
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => fold.page(page),
                Err(error) => broken = Some(error),
            }
            (self.progress)(id, fold.objects());
        }
        drop(pages);
        if let Some(error) = &broken
            && fold.objects() == 0
        {
            return self.failed(id, error);
        }
        let mut found = fold.finish(&self.assets());
        let mut part = if let Some(error) = &broken {
            // The store is in trouble: nothing more is asked of it now.
            found.sightings.iter_mut().filter(|s| known.same(&s.copy).is_some()).for_each(|s| known.revive(s));
            let mut part = self.part(id, found, Some(error));
            self.fill_up(&mut part, &known);
            part
        } else {
            let store = store.as_ref();
            let reads = read(store, &mut found, &known, self.estate).await;
            let part = self.part(id, found, None);
            Part { moving: reads.0, histories: reads.1, ..part }
        };
        part.scan.location = store.location();
        part
    }

    fn assets(&self) -> Vec<AssetId> {
        self.estate.assets.iter().map(|a| a.id.clone()).collect()
    }

    fn part(&self, id: &StoreId, found: Found, broken: Option<&StoreError>) -> Part {
        let scan = StoreScan {
            id: id.clone(),
            location: String::new(),
            status: if broken.is_some() { ScanStatus::Partial } else { ScanStatus::Ok },
            objects: found.objects,
            bytes: found.bytes,
            scanned_at: Some(self.clock.now()),
            error: broken.map(|e| escaped(&e.to_string()).into_owned()),
            error_kind: broken.map(|e| e.kind),
            hint: broken.map(|e| e.hint().to_owned()),
            unrecognised: found.unrecognised,
        };
        Part {
            scan,
            sightings: found.sightings,
            logs: found.log.logs,
            strays: found.strays,
            moving: Vec::new(),
            histories: Vec::new(),
        }
    }

    /// After a listing that broke off: what was not reached is taken from before, and a folder that may
    /// have been reached only in part is not called incomplete.
    fn fill_up(&self, part: &mut Part, known: &Known<'_>) {
        let mut before = self.recalled(&part.scan.id, known);
        let seen: HashMap<&str, u64> =
            part.sightings.iter().map(|new| (new.copy.path.as_str(), new.copy.objects)).collect();
        before.sightings.retain(|old| seen.get(old.copy.path.as_str()).is_none_or(|new| *new < old.copy.objects));
        let better: HashSet<&str> = before.sightings.iter().map(|old| old.copy.path.as_str()).collect();
        part.sightings.retain(|new| !better.contains(new.copy.path.as_str()));
        let doubtful = |s: &&mut Sighting| s.is_folder() && s.complete == Some(false) && known.same(&s.copy).is_none();
        for sighting in part.sightings.iter_mut().filter(doubtful) {
            sighting.complete = None;
            sighting.because = vec!["the listing broke off; it may not be all".to_owned()];
        }
        part.sightings.append(&mut before.sightings);
        part.logs = joined_logs(part.logs.drain(..).chain(before.log.logs));
    }

    fn recalled(&self, id: &StoreId, known: &Known<'_>) -> Found {
        let mut fold = StoreFold::new(Sources::of(self.estate, id), id);
        for (backup, copy) in known.copies() {
            fold.recall(copy, backup.complete == Some(false));
        }
        let mut found = fold.finish(&[]);
        found.sightings.iter_mut().for_each(|sighting| known.revive(sighting));
        found.log.logs = known.logs.iter().map(|log| (*log).clone()).collect();
        found
    }

    /// What `previous` holds of a store, with its row unchanged.
    fn remembered(&self, id: &StoreId) -> Part {
        let found = self.recalled(id, &Known::of(self.previous, id));
        let row = self.previous.stores.iter().find(|s| &s.id == id).cloned();
        let mut part = self.part(id, found, None);
        part.scan = row.unwrap_or_else(|| StoreScan {
            status: ScanStatus::Pending,
            scanned_at: None,
            location: self.location(id),
            unrecognised: Unrecognised::default(),
            ..part.scan.clone()
        });
        part
    }

    fn failed(&self, id: &StoreId, error: &StoreError) -> Part {
        use StoreErrorKind::{Denied, ExpiredCredentials, NoCredentials};
        let mut part = self.remembered(id);
        part.scan.status = match error.kind {
            Denied | ExpiredCredentials | NoCredentials => ScanStatus::Denied,
            _ => ScanStatus::Unreachable,
        };
        part.scan.error = Some(escaped(&error.to_string()).into_owned());
        part.scan.error_kind = Some(error.kind);
        part.scan.hint = Some(error.hint().to_owned());
        part.scan.location = self.location(id);
        part
    }

    fn location(&self, id: &StoreId) -> String {
        if let Some(Ok(store)) = self.stores.get(id) {
            return store.location();
        }
        let row = self.previous.stores.iter().find(|s| &s.id == id);
        row.map(|s| s.location.clone()).unwrap_or_default()
    }
}

/// Sidecars, heads and moving names: everything for which objects are opened.
async fn read(store: &dyn Store, found: &mut Found, known: &Known<'_>, estate: &Estate) -> (Vec<Moving>, Vec<History>) {
    let (left, put_off) = sidecars::read(store, found, known).await;
    for loose in left {
        let reason = Some("a sidecar of no backup that is known here");
        note(&mut found.unrecognised, store.id(), &loose.meta.name, loose.meta.size, reason);
    }
    if put_off > 0 {
        let line = format!("{}: {put_off} sidecars of older backups are read in later scans", store.id());
        found.unrecognised.samples.push(line);
    }
    if put_off == 0 {
        without_manifest(&mut found.sightings, estate);
    }
    let unread = heads::read(store, &mut found.sightings, known).await;
    if unread > 0 {
        let what = "older backups were not looked into yet: what they are, and whether they are encrypted, is unknown";
        found.unrecognised.samples.push(format!("{}: {unread} {what} until later scans", store.id()));
    }
    let moving = moving::resolve(store, &mut found.sightings).await;
    let histories = sidecars::histories(store, std::mem::take(&mut found.log.label_files)).await;
    timeline::read(store, std::mem::take(&mut found.log.history_files), &mut found.log.logs).await;
    (moving, histories)
}

/// The manifest of a registry is written last: a run without one was not finished, or nobody can tell.
fn without_manifest(sightings: &mut [Sighting], estate: &Estate) {
    let of_registry = |s: &&mut Sighting| {
        s.is_folder() && estate.asset(&s.asset).is_some_and(|asset| asset.kind == AssetKind::Models)
    };
    for sighting in sightings.iter_mut().filter(of_registry) {
        let mut sidecars = sighting.sidecars.iter();
        if !sidecars.any(|s| SidecarKind::of(&s.name) == Some(SidecarKind::ModelManifest)) {
            sighting.complete = Some(false);
            sighting.because.push("no manifest lists what must be in it".to_owned());
        }
    }
}

/// Logs of the same asset and timeline put together.
fn joined_logs(logs: impl Iterator<Item = LogTimeline>) -> Vec<LogTimeline> {
    let mut by_timeline: BTreeMap<(AssetId, u32), LogTimeline> = BTreeMap::new();
    for log in logs {
        match by_timeline.get_mut(&(log.asset.clone(), log.timeline)) {
            None => {
                by_timeline.insert((log.asset.clone(), log.timeline), log);
            }
            Some(have) => {
                let mut set = RangeSet::default();
                have.ranges.iter().chain(&log.ranges).for_each(|range| set.insert_range(*range));
                have.ranges = set.into_ranges();
                have.partial = have.partial.max(log.partial);
                have.history |= log.history;
                have.fork = have.fork.or(log.fork);
                have.labels.extend(log.labels);
                have.labels.sort_unstable();
                have.labels.dedup();
                have.bytes = have.bytes.max(log.bytes);
            }
        }
    }
    by_timeline.into_values().collect()
}
