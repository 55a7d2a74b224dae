//! Spawned work with a record: registered before it starts, watched while it runs, settled once.
//!
//! The owner drives it: [`Supervisor::gather`] takes over progress and lines, [`Supervisor::settle`]
//! takes an end that arrived on [`Supervisor::ends`]. Nothing here has a clock or a lock.

use super::context::{Cancel, TaskFeed};
use crate::model::task::{CancelReason, Failure, Progress, TaskOutcome};
use crate::model::time::Timestamp;
use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Lines of output that a record keeps; older ones go first.
const LINES_KEPT: usize = 200;
/// Finished records that stay readable.
const FINISHED_KEPT: usize = 50;

/// Where a task stands. A finished one never moves again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    Running,
    /// Told to stop, and not gone yet: what it began is being tidied up.
    Stopping,
    Done,
    Failed,
    /// Nobody knows whether it took effect.
    Unknown,
    Cancelled,
}

impl TaskState {
    pub const fn word(self) -> &'static str {
        match self {
            TaskState::Running => "running",
            TaskState::Stopping => "stopping",
            TaskState::Done => "done",
            TaskState::Failed => "failed",
            TaskState::Unknown => "unknown",
            TaskState::Cancelled => "cancelled",
        }
    }

    pub const fn is_over(self) -> bool {
        !matches!(self, TaskState::Running | TaskState::Stopping)
    }
}

/// One task, as screens read it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRecord {
    pub id: u64,
    pub title: String,
    pub state: TaskState,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub progress: Progress,
    /// Oldest first; untrusted text.
    pub lines: VecDeque<String>,
    pub outcome: Option<TaskOutcome>,
}

struct Live {
    id: u64,
    cancel: Cancel,
    progress: watch::Receiver<Progress>,
    lines: mpsc::Receiver<String>,
    join: JoinHandle<()>,
}

/// All tasks of one owner, and the ends that have arrived.
pub struct Supervisor {
    next: u64,
    records: Vec<TaskRecord>,
    live: Vec<Live>,
    ends: mpsc::UnboundedSender<(u64, TaskOutcome)>,
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor")
            .field("records", &self.records)
            .field("live", &self.live.len())
            .finish_non_exhaustive()
    }
}

impl Supervisor {
    /// A supervisor, and the channel on which every task's end arrives exactly once.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<(u64, TaskOutcome)>) {
        let (ends, arrivals) = mpsc::unbounded_channel();
        (Self { next: 1, records: Vec::new(), live: Vec::new(), ends }, arrivals)
    }

    /// Registers the task, then starts it. A panic inside ends it as unknown.
    pub fn start<W, F>(&mut self, title: impl Into<String>, now: Timestamp, work: W) -> u64
    where
        W: FnOnce(TaskFeed, Cancel) -> F,
        F: Future<Output = TaskOutcome> + Send + 'static,
    {
        let id = self.next;
        self.next += 1;
        self.records.push(TaskRecord {
            id,
            title: title.into(),
            state: TaskState::Running,
            started_at: now,
            ended_at: None,
            progress: Progress::default(),
            lines: VecDeque::new(),
            outcome: None,
        });
        let (feed, progress, lines) = TaskFeed::new(256);
        let cancel = Cancel::default();
        let ends = self.ends.clone();
        let work = tokio::spawn(work(feed, cancel.clone()));
        let join = tokio::spawn(async move {
            let outcome = work.await.unwrap_or_else(|lost| TaskOutcome::Unknown { failure: crash(&lost) });
            // The owner is gone only when the program ends; then nobody asks for the outcome.
            let _ = ends.send((id, outcome));
        });
        self.live.push(Live { id, cancel, progress, lines, join });
        id
    }

    /// Tells a task to stop. `false` if it is not running.
    pub fn cancel(&mut self, id: u64, reason: CancelReason) -> bool {
        let Some(live) = self.live.iter().find(|live| live.id == id) else { return false };
        live.cancel.cancel(reason);
        if let Some(record) = self.records.iter_mut().find(|r| r.id == id && r.state == TaskState::Running) {
            record.state = TaskState::Stopping;
        }
        true
    }

    /// Takes over what the running tasks said since the last look; whether anything was new.
    pub fn gather(&mut self) -> bool {
        let mut news = false;
        for live in &mut self.live {
            let Some(record) = self.records.iter_mut().find(|r| r.id == live.id) else { continue };
            news |= take_over(live, record);
        }
        news
    }

    /// Writes a task's end into its record. Whether the record was still open.
    pub fn settle(&mut self, id: u64, outcome: TaskOutcome, now: Timestamp) -> bool {
        let Some(record) = self.records.iter_mut().find(|r| r.id == id && !r.state.is_over()) else { return false };
        if let Some(at) = self.live.iter().position(|live| live.id == id) {
            let mut live = self.live.swap_remove(at);
            take_over(&mut live, record);
        }
        record.state = match &outcome {
            TaskOutcome::Done { .. } => TaskState::Done,
            TaskOutcome::Failed { .. } => TaskState::Failed,
            TaskOutcome::Unknown { .. } => TaskState::Unknown,
            TaskOutcome::Cancelled { .. } => TaskState::Cancelled,
        };
        record.ended_at = Some(now);
        record.outcome = Some(outcome);
        self.forget_oldest();
        true
    }

    /// Oldest first.
    pub fn records(&self) -> &[TaskRecord] {
        &self.records
    }

    pub fn record(&self, id: u64) -> Option<&TaskRecord> {
        self.records.iter().find(|r| r.id == id)
    }

    pub fn running(&self) -> usize {
        self.live.len()
    }

    /// Tells every task to stop and waits for them at most `patience`; those still there are cut off.
    pub async fn drain(&mut self, patience: Duration) {
        for live in &self.live {
            live.cancel.cancel(CancelReason::Shutdown);
        }
        let mut left: Vec<_> = self.live.drain(..).collect();
        let all = async {
            for live in &mut left {
                // An error here is the wrapper's panic: the task is gone either way.
                let _ = (&mut live.join).await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            for live in &left {
                live.join.abort();
            }
        }
    }

    fn forget_oldest(&mut self) {
        let over = self.records.iter().filter(|r| r.state.is_over()).count();
        let mut surplus = over.saturating_sub(FINISHED_KEPT);
        self.records.retain(|r| {
            let goes = surplus > 0 && r.state.is_over();
            surplus -= usize::from(goes);
            !goes
        });
    }
}

fn take_over(live: &mut Live, record: &mut TaskRecord) -> bool {
    let mut news = false;
    // A closed channel still holds its last value.
    let now = live.progress.borrow_and_update().clone();
    if now != record.progress {
        record.progress = now;
        news = true;
    }
    while let Ok(line) = live.lines.try_recv() {
        if record.lines.len() == LINES_KEPT {
            record.lines.pop_front();
        }
        record.lines.push_back(line);
        news = true;
    }
    news
}

fn crash(lost: &tokio::task::JoinError) -> Failure {
    Failure::new(format!("The task ended in the middle: {lost}"))
        .means("Nobody knows how much of it took effect.")
        .next("Look at what it worked on, then start it again.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::task::{Unit, Values};
    use chrono::DateTime;

    fn at(second: i64) -> Timestamp {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[tokio::test]
    async fn a_task_is_recorded_from_start_to_end() {
        let (mut tasks, mut ends) = Supervisor::new();
        let id = tasks.start("count", at(1), |feed, _| async move {
            feed.progress(Progress { done: 3, total: Some(3), unit: Unit::Items, note: String::new() });
            feed.line("three");
            TaskOutcome::Done { output: Values::new() }
        });
        assert_eq!(tasks.record(id).unwrap().state, TaskState::Running);
        let (ended, outcome) = ends.recv().await.unwrap();
        assert!(tasks.settle(ended, outcome.clone(), at(2)));
        let record = tasks.record(id).unwrap();
        assert_eq!((record.state, record.ended_at), (TaskState::Done, Some(at(2))));
        assert_eq!((record.progress.done, record.lines.len()), (3, 1));
        assert!(!tasks.settle(id, outcome, at(3)), "a finished task never moves again");
    }

    #[tokio::test]
    async fn cancelling_gives_the_reason_to_the_task_and_shows_that_it_is_stopping() {
        let (mut tasks, mut ends) = Supervisor::new();
        let id = tasks.start("wait", at(1), |_, cancel| async move {
            TaskOutcome::Cancelled { reason: cancel.cancelled().await }
        });
        assert!(tasks.cancel(id, CancelReason::Operator));
        assert_eq!(tasks.record(id).unwrap().state, TaskState::Stopping);
        let (_, outcome) = ends.recv().await.unwrap();
        assert_eq!(outcome, TaskOutcome::Cancelled { reason: CancelReason::Operator });
        tasks.settle(id, outcome, at(2));
        assert!(!tasks.cancel(id, CancelReason::Operator));
    }

    #[tokio::test]
    async fn a_panic_is_unknown_and_draining_cuts_off_the_deaf() {
        let (mut tasks, mut ends) = Supervisor::new();
        tasks.start("crash", at(1), |_, _| async { panic!("on purpose") });
        let (id, outcome) = ends.recv().await.unwrap();
        assert!(matches!(outcome, TaskOutcome::Unknown { .. }));
        tasks.settle(id, outcome, at(2));
        tasks.start("deaf", at(3), |_, _| std::future::pending());
        tasks.drain(Duration::from_millis(20)).await;
        assert_eq!(tasks.running(), 0);
    }
}
