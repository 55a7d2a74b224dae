//! Scans: all stores side by side, or one; the last known catalog stays on screen meanwhile.

use super::news::News;
use super::parts::Parts;
use super::state::State;
use crate::catalog::{Catalog, Scan, ScanStatus, StoreScan, Unrecognised, cache};
use crate::health::{self, HealthReport, Severity};
use crate::model::id::StoreId;
use crate::model::proof::ProofRecord;
use crate::model::task::{Progress, TaskOutcome, Unit, Values};
use crate::proof::Ledger;
use crate::tasks::{Cancel, TaskFeed};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Which stores a scan covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    All,
    One(StoreId),
}

/// The scan that runs now.
pub(super) struct Scanning {
    pub task: u64,
    extent: Extent,
    seen: watch::Receiver<Vec<(StoreId, u64)>>,
}

/// The catalog before anything was seen: every store is pending, so nothing is called missing.
pub(super) fn nothing_seen(parts: &Parts) -> Catalog {
    let row = |id: &StoreId| StoreScan {
        id: id.clone(),
        location: parts.stores.get(id).map(|store| store.location()).unwrap_or_default(),
        status: ScanStatus::Pending,
        objects: 0,
        bytes: 0,
        scanned_at: None,
        error: None,
        error_kind: None,
        hint: None,
        unrecognised: Unrecognised::default(),
    };
    Catalog { stores: parts.estate.stores.iter().map(|store| row(&store.id)).collect(), ..Catalog::default() }
}

/// A remembered catalog without the stores and assets that the configuration no longer names, and with
/// pending rows for those that are new.
pub(super) fn of_this_estate(mut catalog: Catalog, parts: &Parts) -> Catalog {
    let estate = &parts.estate;
    for backup in &mut catalog.backups {
        backup.copies.retain(|copy| estate.store(&copy.store).is_some());
    }
    catalog.backups.retain(|backup| !backup.copies.is_empty() && estate.asset(&backup.asset).is_some());
    catalog.logs.retain(|log| estate.store(&log.store).is_some() && estate.asset(&log.asset).is_some());
    catalog.windows.retain(|window| estate.asset(&window.asset).is_some());
    let known = std::mem::take(&mut catalog.stores);
    catalog.stores = nothing_seen(parts)
        .stores
        .into_iter()
        .map(|pending| known.iter().find(|row| row.id == pending.id).cloned().unwrap_or(pending))
        .collect();
    catalog
}

impl State {
    /// Starts a scan, or keeps the wish until the running one has ended.
    pub fn scan(&mut self, extent: Extent) {
        if let Extent::One(id) = &extent
            && self.parts.estate.store(id).is_none()
        {
            self.tell(Severity::Warning, &format!("There is no store `{id}` to scan."), "");
            return;
        }
        if let Some(running) = &self.scanning {
            if running.extent != extent || self.scan_wanted.is_some() {
                self.scan_wanted = Some(if self.scan_wanted.is_none() { extent } else { Extent::All });
            }
            return;
        }
        let now = self.now();
        if extent == Extent::All {
            self.last_full_scan = Some(now);
        }
        let ids = self.parts.estate.stores.iter().map(|store| &store.id);
        let covered = ids.filter(|id| matches!(&extent, Extent::All) || extent == Extent::One((*id).clone()));
        let (seen, watch_seen) = watch::channel(covered.map(|id| (id.clone(), 0)).collect::<Vec<(StoreId, u64)>>());
        self.view.scanning.clone_from(&watch_seen.borrow());
        let title = match &extent {
            Extent::All => "Scan all stores".to_owned(),
            Extent::One(id) => format!("Scan store {id}"),
        };
        let work = Work {
            parts: self.parts.clone(),
            previous: Arc::clone(&self.view.catalog),
            extent: extent.clone(),
            news: self.news.clone(),
        };
        let task = self.tasks.start(title, now, |feed, cancel| work.run(seen, feed, cancel));
        self.scanning = Some(Scanning { task, extent, seen: watch_seen });
        self.touch();
    }

    /// Takes over how many objects the running scan has seen.
    pub fn gather_scan(&mut self) {
        let Some(scanning) = &mut self.scanning else { return };
        if scanning.seen.has_changed().unwrap_or(false) {
            self.view.scanning.clone_from(&scanning.seen.borrow_and_update());
            self.touch();
        }
    }

    /// The running scan is over, however it ended.
    pub fn scan_ended(&mut self) {
        self.scanning = None;
        self.view.scanning = Vec::new();
        self.touch();
        if let Some(extent) = self.scan_wanted.take() {
            self.scan(extent);
        }
    }

    /// Swaps the new catalog in and says which stores were lost or came back.
    pub fn scanned(&mut self, catalog: Catalog) {
        for store in &catalog.stores {
            let condition = format!("store {}", store.id);
            match (&store.error, store.status) {
                (Some(error), _) => {
                    let hint = store.hint.clone().unwrap_or_default();
                    self.stands(&condition, Severity::Unknown, error, &hint);
                }
                (None, ScanStatus::Ok) => self.notices.cleared(&condition),
                (None, _) => {}
            }
        }
        self.show_catalog(catalog, false);
    }
}

struct Work {
    parts: Parts,
    previous: Arc<Catalog>,
    extent: Extent,
    news: mpsc::Sender<News>,
}

impl Work {
    async fn run(self, seen: watch::Sender<Vec<(StoreId, u64)>>, feed: TaskFeed, cancel: Cancel) -> TaskOutcome {
        let progress = |store: &StoreId, objects: u64| {
            let mut sum = 0;
            seen.send_modify(|rows| {
                if let Some(row) = rows.iter_mut().find(|(id, _)| id == store) {
                    row.1 = objects;
                }
                sum = rows.iter().map(|(_, objects)| objects).sum();
            });
            feed.progress(Progress { done: sum, total: None, unit: Unit::Objects, note: store.to_string() });
        };
        let stores = self.parts.to_scan();
        let scan = Scan {
            estate: &self.parts.estate,
            stores: &stores,
            previous: &self.previous,
            clock: &*self.parts.clock,
            progress: &progress,
        };
        let scanned = async {
            match &self.extent {
                Extent::All => scan.all().await,
                Extent::One(id) => scan.only(id).await,
            }
        };
        let catalog = tokio::select! {
            catalog = scanned => catalog,
            reason = cancel.cancelled() => return TaskOutcome::Cancelled { reason },
        };
        let catalog = Arc::new(catalog);
        let trouble = keep(&self.parts, Arc::clone(&catalog)).await.err();
        let detail = format!("{} backups in {} stores", catalog.backups.len(), catalog.stores.len());
        // The loop is gone only when the program ends.
        let _ = self.news.send(News::Scanned { catalog, trouble }).await;
        let mut output = Values::new();
        output.insert("detail".to_owned(), detail.into());
        TaskOutcome::Done { output }
    }
}

/// Keeps the catalog for the next start.
async fn keep(parts: &Parts, catalog: Arc<Catalog>) -> Result<(), String> {
    let file = parts.catalog_file();
    let saved = tokio::task::spawn_blocking(move || cache::save(&file, &catalog)).await;
    saved.map_err(|lost| lost.to_string())?.map_err(|error| error.to_string())
}

/// What one scan gave, judged.
#[derive(Clone, Debug)]
pub struct Scanned {
    pub catalog: Catalog,
    pub health: HealthReport,
    /// Lines of the ledger about backups in the catalog, newest first.
    pub proofs: Vec<ProofRecord>,
    /// What went wrong beside the scan itself, one sentence each: unreadable cache or ledger lines.
    pub problems: Vec<String>,
}

/// Scans everything once, for commands that print and end. Unseen stores are told in the catalog.
pub async fn scan_once(parts: &Parts, progress: &(dyn Fn(&StoreId, u64) + Sync)) -> Scanned {
    let mut problems = Vec::new();
    let previous = cache::load(&parts.catalog_file()).unwrap_or_else(|error| {
        problems.push(error.to_string());
        None
    });
    let previous = previous.map_or_else(|| nothing_seen(parts), |catalog| of_this_estate(catalog, parts));
    let stores = parts.to_scan();
    let scan = Scan { estate: &parts.estate, stores: &stores, previous: &previous, clock: &*parts.clock, progress };
    let catalog = Arc::new(scan.all().await);
    drop(previous);
    problems.extend(keep(parts, Arc::clone(&catalog)).await.err());
    let ledger = Ledger::in_state(&parts.state_dir).read().unwrap_or_else(|error| {
        problems.push(error.to_string());
        crate::proof::Proofs::default()
    });
    problems.extend(super::proofs::unread_lines(&ledger));
    let catalog = Arc::unwrap_or_clone(catalog).with_proofs(&ledger.records);
    let health = health::assess(&catalog, &parts.estate, parts.clock.now());
    let proofs = super::proofs::shown(&catalog, &ledger.records);
    Scanned { catalog, health, proofs, problems }
}
