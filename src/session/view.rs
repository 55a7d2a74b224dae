//! Everything a frontend may read, as one immutable value.

use crate::catalog::Catalog;
use crate::checklist::{Checklist, Note};
use crate::event::Event;
use crate::health::{HealthReport, Severity};
use crate::model::actor::Actor;
use crate::model::estate::Estate;
use crate::model::id::{RunId, StepId, StoreId};
use crate::model::lease::Lease;
use crate::model::proof::ProofRecord;
use crate::model::task::Progress;
use crate::model::time::Timestamp;
use crate::runbook::{Armed, RunState, Runbook};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct View {
    pub estate: Arc<Estate>,
    pub actor: Actor,
    /// Identity in use towards stores, `profile platform-ro` or `anonymous`, as far as known.
    pub identity: String,
    pub armed: Option<Armed>,
    pub catalog: Arc<Catalog>,
    /// The catalog on screen is the one kept on disk; the new scan has not replaced it yet.
    pub catalog_from_disk: bool,
    pub health: Arc<HealthReport>,
    /// Stores being scanned now: objects seen so far.
    pub scanning: Vec<(StoreId, u64)>,
    pub runbooks: Arc<Vec<Runbook>>,
    /// Runbook files that could not be read: located errors, ready to show.
    pub runbook_errors: Arc<Vec<String>>,
    /// Newest first.
    pub runs: Arc<Vec<RunRow>>,
    pub open_run: Option<Arc<RunView>>,
    /// Newest first; finished ones stay for a while.
    pub tasks: Arc<Vec<TaskRow>>,
    /// All lines of the proof ledger about backups in the catalog, newest first.
    pub proofs: Arc<Vec<ProofRecord>>,
    pub checklists: Arc<Vec<Checklist>>,
    /// What people answered to items of checklists, oldest first.
    pub answers: Arc<Vec<Note>>,
    /// Unread notices, oldest first: errors stay until someone dismisses them.
    pub notices: Vec<Notice>,
    /// Rises whenever any part changed.
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub id: u64,
    pub at: Timestamp,
    pub severity: Severity,
    pub what: String,
    /// What to do next; may be empty.
    pub next: String,
}

/// One run in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    pub id: RunId,
    pub title: String,
    pub mode: String,
    /// Word of its status; `runner lost` where the runner died and nobody resumed it.
    pub status: String,
    pub needs_operator: bool,
    /// A runner lives for it.
    pub driven: bool,
    pub over: bool,
    pub created_at: Timestamp,
    pub operator: Actor,
    /// Recovered, not committed: until when that is to be decided.
    pub decide_by: Option<Timestamp>,
    /// What it made as a drill and nobody has seen gone.
    pub owes: Vec<String>,
    /// Set where another machine holds it: then it can only be watched here.
    pub held: Option<Held>,
}

/// How a run is held from elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// One of its leases: they are renewed together.
    pub lease: Lease,
    /// When the place was read that tells of it.
    pub seen_at: Timestamp,
    /// Why its mirror tells no run.
    pub unreadable: Option<String>,
    /// A copy of it lies here, fenced off.
    pub copy_here: bool,
}

impl Held {
    /// Whether it was renewed too long ago. What was read before its time ran out says nothing of that: the holder may
    /// have renewed it since.
    pub fn is_silent(&self) -> bool {
        self.lease.is_expired(self.seen_at)
    }
}

/// The run on screen.
#[derive(Clone, Debug)]
pub struct RunView {
    pub state: RunState,
    /// Whole journal, oldest first.
    pub events: Arc<Vec<Event>>,
    /// The steps that work now and have told how far they are, with their latest progress.
    pub live: Vec<(StepId, Progress)>,
    /// Output of the running and earlier tasks, oldest first, bounded; untrusted text.
    pub output: Arc<Vec<(StepId, String)>>,
    pub link: Link,
}

/// The line to the run's runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    Connected,
    Connecting,
    /// The runner is gone; `ResumeRun` brings it back. The text says how it was lost.
    Lost(String),
    /// Another machine drives it; the mirror in the shared place tells, unless it says why not.
    Elsewhere(Option<String>),
    /// The run is over and its runner has left.
    Ended,
}

/// A task of the session: a scan, a verification.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRow {
    pub id: u64,
    pub title: String,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub progress: Progress,
    /// `running`, `done`, `failed`, `unknown`, `cancelled`.
    pub state: String,
    /// Outcome in one line; escaped.
    pub detail: String,
    pub lines: Vec<String>,
}
