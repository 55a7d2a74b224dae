//! All that the session holds, and the one place where the view is drawn up.

use super::armed::ArmedFile;
use super::follow::Followed;
use super::news::News;
use super::notices::Notices;
use super::parts::Parts;
use super::scan::Scanning;
use super::view::{RunRow, TaskRow, View};
use crate::catalog::Catalog;
use crate::health::{self, Severity};
use crate::journal::lease::Leases;
use crate::model::proof::ProofRecord;
use crate::model::task::TaskOutcome;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::runner::Listing;
use crate::runner::elsewhere::Known;
use crate::tasks::{Supervisor, TaskRecord};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

pub(super) struct State {
    pub parts: Parts,
    /// The view as it will be published next.
    pub view: View,
    pub notices: Notices,
    pub tasks: Supervisor,
    /// Where everything that works beside the loop sends what it found.
    pub news: mpsc::Sender<News>,
    pub scanning: Option<Scanning>,
    /// Tasks that raise a proof, by id.
    pub verifying: HashSet<u64>,
    /// A scan was asked for while one was running: all stores, or one.
    pub scan_wanted: Option<super::scan::Extent>,
    pub last_full_scan: Option<Timestamp>,
    /// The whole ledger, oldest first.
    pub ledger: Vec<ProofRecord>,
    pub armed_file: ArmedFile,
    /// A look at the runs folder goes on.
    pub listing_runs: bool,
    /// What the last look at the runs folder read; away while the next one goes on.
    pub listing: Listing,
    /// Runs of this machine, and those of others as the shared place told last.
    pub here: Vec<RunRow>,
    pub away: Vec<RunRow>,
    pub away_known: Known,
    /// A look at the shared place goes on.
    pub listing_away: bool,
    /// The shared place, once it could be opened.
    pub leases: Option<Leases>,
    /// The run on screen.
    pub followed: Option<Followed>,
    changed: bool,
}

impl State {
    pub fn new(parts: Parts, tasks: Supervisor, news: mpsc::Sender<News>) -> Self {
        let now = parts.clock.now();
        let catalog = Arc::new(super::scan::nothing_seen(&parts));
        let view = View {
            estate: Arc::clone(&parts.estate),
            actor: parts.actor.clone(),
            identity: parts.identity.clone(),
            armed: None,
            health: Arc::new(health::assess(&catalog, &parts.estate, now)),
            catalog,
            catalog_from_disk: false,
            scanning: Vec::new(),
            runbooks: Arc::clone(&parts.runbooks),
            runbook_errors: Arc::clone(&parts.runbook_errors),
            runs: Arc::default(),
            open_run: None,
            tasks: Arc::default(),
            proofs: Arc::default(),
            checklists: Arc::clone(&parts.checklists),
            answers: Arc::default(),
            notices: Vec::new(),
            version: 0,
        };
        Self {
            armed_file: ArmedFile::in_state(&parts.state_dir),
            parts,
            view,
            notices: Notices::default(),
            tasks,
            news,
            scanning: None,
            verifying: HashSet::new(),
            scan_wanted: None,
            last_full_scan: None,
            ledger: Vec::new(),
            listing_runs: false,
            listing: Listing::default(),
            here: Vec::new(),
            away: Vec::new(),
            away_known: Known::default(),
            listing_away: false,
            leases: None,
            followed: None,
            changed: true,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Something that can be seen is different now.
    pub fn touch(&mut self) {
        self.changed = true;
    }

    pub fn tell(&mut self, severity: Severity, what: &str, next: &str) {
        let now = self.now();
        self.notices.tell(now, severity, what, next);
        self.touch();
    }

    /// Tells of a condition that lasts, once.
    pub fn stands(&mut self, condition: &str, severity: Severity, what: &str, next: &str) {
        let now = self.now();
        self.notices.stands(condition, now, severity, what, next);
        self.touch();
    }

    /// Shows this catalog, with the proofs that hold for its bytes, judged now.
    pub fn show_catalog(&mut self, catalog: Catalog, from_disk: bool) {
        self.view.catalog = Arc::new(catalog.with_proofs(&self.ledger));
        self.view.catalog_from_disk = from_disk;
        self.view.proofs = Arc::new(super::proofs::shown(&self.view.catalog, &self.ledger));
        self.judge();
        self.touch();
    }

    /// Judges the catalog again: ages move without any scan.
    pub fn judge(&mut self) {
        let report = health::assess(&self.view.catalog, &self.view.estate, self.now());
        if report != *self.view.health {
            self.view.health = Arc::new(report);
            self.touch();
        }
    }

    /// One row for each run, newest first: whoever holds it tells of it.
    pub fn show_runs(&mut self) {
        let is_away = |row: &RunRow| self.away.iter().any(|away| away.id == row.id);
        let here: Vec<RunRow> = self.here.iter().filter(|row| !is_away(row)).cloned().collect();
        let mut rows = self.away.clone();
        for row in &mut rows {
            let copy = self.here.iter().any(|here| here.id == row.id);
            if let Some(held) = &mut row.held {
                held.copy_here = copy;
            }
        }
        rows.extend(here);
        rows.sort_by(|a, b| b.id.cmp(&a.id));
        if rows != *self.view.runs {
            self.view.runs = Arc::new(rows);
            self.touch();
        }
    }

    /// Publishes the view if anything that can be seen has changed.
    pub fn publish(&mut self, out: &watch::Sender<Arc<View>>) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let rows: Vec<TaskRow> = self.tasks.records().iter().rev().map(row).collect();
        if rows != *self.view.tasks {
            self.view.tasks = Arc::new(rows);
        }
        self.view.notices = self.notices.unread().to_vec();
        self.view.version += 1;
        out.send_replace(Arc::new(self.view.clone()));
    }
}

fn row(record: &TaskRecord) -> TaskRow {
    let detail = match &record.outcome {
        None => record.progress.note.clone(),
        Some(TaskOutcome::Done { output }) => {
            output.get("detail").and_then(|detail| detail.as_str()).unwrap_or_default().to_owned()
        }
        Some(TaskOutcome::Failed { failure } | TaskOutcome::Unknown { failure }) => failure.what.clone(),
        Some(TaskOutcome::Cancelled { .. }) => "stopped before its end".to_owned(),
    };
    TaskRow {
        id: record.id,
        title: record.title.clone(),
        started_at: record.started_at,
        ended_at: record.ended_at,
        progress: record.progress.clone(),
        state: record.state.word().to_owned(),
        detail: escaped(&detail).into_owned(),
        lines: record.lines.iter().cloned().collect(),
    }
}
