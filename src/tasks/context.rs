//! What a task gets to work with.

use super::shelf::Shelf;
use crate::catalog::Catalog;
use crate::model::actor::Actor;
use crate::model::estate::Estate;
use crate::model::id::StoreId;
use crate::model::secret::SecretSource;
use crate::model::task::{CancelReason, Progress};
use crate::model::time::Clock;
use crate::stores::{Store, WritableStore};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// A task's window on the rest of the program.
#[derive(Clone)]
pub struct TaskContext {
    pub estate: Arc<Estate>,
    pub stores: Arc<BTreeMap<StoreId, Arc<dyn Store>>>,
    /// Stores that may take new objects; a subset of `stores`.
    pub writable: Arc<BTreeMap<StoreId, Arc<dyn WritableStore>>>,
    /// The last known catalog, for modules that resolve backups.
    pub catalog: Arc<Catalog>,
    pub clock: Arc<dyn Clock>,
    pub secrets: Arc<dyn SecretSource>,
    /// Who acts, for ledgers.
    pub actor: Actor,
    /// The run and step that the task works for.
    pub owner: Owner,
    /// Folder of Relight's state (0700).
    pub state_dir: PathBuf,
    /// Folder for this run's artefacts and scratch (0700); exists.
    pub work_dir: PathBuf,
    /// Notes that a takeover of the run must find.
    pub shelf: Shelf,
    pub feed: TaskFeed,
    pub cancel: Cancel,
}

/// What a task belongs to. Things that a task makes carry the run as a mark, and its sessions on a
/// server carry the label, so that a later look finds what a dead runner left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Run id; `plan` for looks at plan time, `console` for tasks of the session.
    pub run: String,
    /// Step id; for looks at plan time the id of the resolve.
    pub step: String,
}

impl Owner {
    pub fn new(run: impl Into<String>, step: impl Into<String>) -> Self {
        Self { run: run.into(), step: step.into() }
    }

    /// `relight:<run>:<step>`, at most the 63 bytes that PostgreSQL keeps of an application name.
    pub fn label(&self) -> String {
        let mut label: String =
            format!("relight:{}:{}", self.run, self.step).chars().filter(char::is_ascii_graphic).collect();
        label.truncate(63);
        label
    }
}

/// Where a task says how far it is. Never blocks the task.
#[derive(Clone, Debug)]
pub struct TaskFeed {
    progress: watch::Sender<Progress>,
    lines: mpsc::Sender<String>,
}

impl TaskFeed {
    /// A feed and its two ends: latest progress, and lines of output (bounded; when nobody reads in time
    /// the line is left out, never the work delayed).
    pub fn new(capacity: usize) -> (Self, watch::Receiver<Progress>, mpsc::Receiver<String>) {
        let (progress, progress_end) = watch::channel(Progress::default());
        let (lines, lines_end) = mpsc::channel(capacity);
        (Self { progress, lines }, progress_end, lines_end)
    }

    /// A feed that nobody listens to.
    pub fn silent() -> Self {
        Self::new(1).0
    }

    pub fn progress(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }

    /// One line of live output. Untrusted text is escaped by whoever shows it.
    pub fn line(&self, line: impl Into<String>) {
        let _ = self.lines.try_send(line.into());
    }
}

/// A one-way switch with a reason, shared by everyone who works on a task. A later, stronger reason wins.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<watch::Sender<Option<CancelReason>>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Cancel {
    pub fn cancel(&self, reason: CancelReason) {
        self.0.send_if_modified(|now| {
            let stronger = now.is_none_or(|held| held < reason);
            if stronger {
                *now = Some(reason);
            }
            stronger
        });
    }

    /// One atomic look, for blocking code.
    pub fn reason(&self) -> Option<CancelReason> {
        *self.0.borrow()
    }

    /// Waits until someone cancels.
    pub async fn cancelled(&self) -> CancelReason {
        let mut seen = self.0.subscribe();
        loop {
            if let Some(reason) = *seen.borrow_and_update() {
                return reason;
            }
            if seen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
