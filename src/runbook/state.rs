//! Where a run stands: rebuilt only by applying its journal's events in order.

use super::approval::Approver;
use super::commit::{Amendment, Provisional, Turn};
use super::drill::Debt;
use super::engine::Now;
use super::intent::Answer;
use super::plan::Plan;
pub use super::question::{LossSeen, Question, QuestionKind};
use crate::event::Purpose;
use crate::model::actor::Actor;
use crate::model::amount::Amount;
use crate::model::id::{RunId, StepId};
use crate::model::lease::TakenFrom;
use crate::model::task::{Reality, TargetIdentity, TaskOutcome};
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    Pending,
    /// Its turn has come but something forbids it: read-only, drift, pause. `why` says what.
    Blocked,
    Ready,
    AwaitingAnswer,
    AwaitingApproval,
    /// Confirmed; the target's identity is read one last time.
    Armed,
    Running,
    Verifying,
    Done,
    Failed,
    TimedOut,
    /// The runner died while it ran.
    Interrupted,
    /// Nobody knows whether it took effect.
    Unknown,
    /// The world is being looked at to learn what happened.
    Reconciling,
    Skipped,
    DoneByHand,
    Compensating,
    Compensated,
    CompensationFailed,
    /// Stopped, or never begun, because the run was aborted.
    Cancelled,
    /// A dry run left it out.
    NotRun,
}

impl StepState {
    pub const fn word(self) -> &'static str {
        match self {
            StepState::Pending => "pending",
            StepState::Blocked => "blocked",
            StepState::Ready => "ready",
            StepState::AwaitingAnswer => "your turn",
            StepState::AwaitingApproval => "awaiting approval",
            StepState::Armed => "armed",
            StepState::Running => "running",
            StepState::Verifying => "verifying",
            StepState::Done => "done",
            StepState::Failed => "failed",
            StepState::TimedOut => "timed out",
            StepState::Interrupted => "interrupted",
            StepState::Unknown => "unknown",
            StepState::Reconciling => "reconciling",
            StepState::Skipped => "skipped",
            StepState::DoneByHand => "done by hand",
            StepState::Compensating => "undoing",
            StepState::Compensated => "undone",
            StepState::CompensationFailed => "undo failed",
            StepState::Cancelled => "cancelled",
            StepState::NotRun => "not run",
        }
    }

    /// Whether the run can go past it.
    pub const fn is_settled(self) -> bool {
        matches!(self, StepState::Done | StepState::Skipped | StepState::DoneByHand | StepState::NotRun)
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum RunStatus {
    Ready,
    Running,
    /// A question is open.
    Waiting,
    /// Recovered, and not committed: commit, choose another point, or roll back.
    Provisional,
    Paused {
        cause: String,
    },
    Aborting,
    /// Aborted, and everything it had made is taken back or was never made.
    AbortedClean,
    /// Aborted; `RunState::leftovers` names what remains.
    AbortedDirty,
    Completed,
    CompletedWithExceptions,
}

impl RunStatus {
    pub const fn word(&self) -> &'static str {
        match self {
            RunStatus::Ready => "ready",
            RunStatus::Running => "running",
            RunStatus::Waiting => "waiting for you",
            RunStatus::Provisional => "provisional",
            RunStatus::Paused { .. } => "paused",
            RunStatus::Aborting => "aborting",
            RunStatus::AbortedClean => "aborted, clean",
            RunStatus::AbortedDirty => "aborted, leftovers",
            RunStatus::Completed => "completed",
            RunStatus::CompletedWithExceptions => "completed with exceptions",
        }
    }

    pub const fn is_over(&self) -> bool {
        matches!(
            self,
            RunStatus::AbortedClean
                | RunStatus::AbortedDirty
                | RunStatus::Completed
                | RunStatus::CompletedWithExceptions
        )
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct RunState {
    pub id: RunId,
    pub plan: Arc<Plan>,
    pub status: RunStatus,
    pub steps: Vec<StepRecord>,
    pub operator: Actor,
    /// Names of everyone who created, started, resumed or armed it: none of them approves it.
    pub hands: Vec<String>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub armed: Option<Armed>,
    /// The question that waits for the operator. At most one.
    pub question: Option<Question>,
    /// Skips, overrides and work done by hand, in order: any of them ends the run "with exceptions".
    pub exceptions: Vec<Exception>,
    /// What an aborted run left behind.
    pub leftovers: Vec<String>,
    /// What a drill made, in order, and whether it was seen gone.
    pub debts: Vec<Debt>,
    /// Milliseconds that the run has waited for a person, up to `last_at`; while [`RunState::awaits_person`]
    /// holds, the time since then comes on top.
    pub human_wait_ms: u64,
    /// Instant of the last applied event.
    pub last_at: Timestamp,
    /// The tasks in flight, in the order in which they began: several where a group of the plan lets steps work
    /// beside one another, and at most one for each step.
    pub working: Vec<Working>,
    /// Set once someone asked to abort.
    pub abort: Option<Abort>,
    /// Why no further step starts, until someone resumes.
    pub paused: Option<String>,
    /// How the run stands to its lock scopes, once it has held them.
    pub lease: Option<Standing>,
    /// What its operator offers to another one.
    pub handover: Option<Handover>,
    /// Since its commit point was reached, until it went back from there.
    pub provisional: Option<Provisional>,
    /// On the way back to another point.
    pub turn: Option<Turn>,
    /// What was changed on the way, in order.
    pub amendments: Vec<Amendment>,
    /// Number of the last question that was put.
    pub asked: u64,
    /// Sequence number of the last applied event.
    pub seq: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    pub id: StepId,
    pub state: StepState,
    /// Attempts so far; 0 before the first.
    pub attempt: u32,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Its time limit, where that was amended.
    pub limit: Option<Duration>,
    /// How much it may touch, where that was amended.
    pub allowed: Option<Amount>,
    /// Outcome of the last attempt.
    pub outcome: Option<TaskOutcome>,
    /// Why it stands as it does, for blocked, skipped, unknown…
    pub why: Option<String>,
    /// Last live identity that was read for it.
    pub identity: Option<TargetIdentity>,
    /// The identity that an operator accepted in place of the plan's.
    pub accepted: Option<TargetIdentity>,
    /// Proofs without which it may go on, because an operator declared the loss.
    pub declared: Vec<String>,
    /// Who has approved the request that was put last.
    pub approvals: Vec<Approver>,
    /// What enough people have approved.
    pub approved: Option<Approved>,
    /// What the last look at the world said about the last attempt.
    pub reality: Option<Reality>,
    /// What the state machine keeps in mind for its next decision; of no interest to a screen.
    pub notes: StepNotes,
}

impl StepRecord {
    pub fn pending(id: StepId) -> Self {
        Self {
            id,
            state: StepState::Pending,
            attempt: 0,
            started_at: None,
            ended_at: None,
            limit: None,
            allowed: None,
            outcome: None,
            why: None,
            identity: None,
            accepted: None,
            declared: Vec::new(),
            approvals: Vec::new(),
            approved: None,
            reality: None,
            notes: StepNotes::default(),
        }
    }
}

/// A run's standing towards its lock scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub epoch: u64,
    pub place: String,
    pub taken_from: Option<TakenFrom>,
    /// Why it could not be renewed in time, while that lasts.
    pub lapsed: Option<String>,
    /// Who holds the scopes now instead: nothing more happens in this copy of the run.
    pub lost: Option<String>,
}

/// An offer to give the run to another operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub from: Actor,
    pub to: String,
    pub believed: String,
    /// What is to be done next; whoever takes the run types it back.
    pub next: String,
    /// Steps that were not settled when it was offered.
    pub open: Vec<String>,
    pub at: Timestamp,
}

/// An approval that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    pub loss: String,
    pub until: Timestamp,
}

/// Facts between two events that belong together: the journal may end after the first, and the next
/// runner must come to the same second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepNotes {
    /// The identity was read just now: a question may be put over it.
    pub fresh: bool,
    /// Confirmed by an answer to this question, or 0: by the approved plan alone.
    pub confirmed: Option<u64>,
    /// When that was.
    pub confirmed_at: Option<Now>,
    /// When the identity was read, in milliseconds of the runner's own clock.
    pub read_mono_ms: u64,
    /// Read again after the answer, and the same as shown.
    pub verified: bool,
    /// A task of it ended, and what follows from that is not written yet.
    pub ended: Option<Ended>,
    /// A question of it was answered, and what follows from that is not written yet.
    pub answered: Option<Answered>,
    /// The last attempt was cut off by the end of a runner.
    pub interrupted: bool,
    /// The world was looked at since the last attempt ended.
    pub looked: bool,
    /// How the probes ended that were looked at after the last attempt.
    pub probed: Option<TaskOutcome>,
    /// What it would touch, as its module counted it.
    pub counted: Option<Counted>,
    /// Why the last attempt was told to stop, until what that left is known.
    pub stopped: Option<String>,
    /// An undo was cut off by the end of a runner.
    pub undo_cut_off: bool,
    /// The run was taken over: its old holder may have begun or done the step without the new one's knowledge.
    pub unseen: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub amount: Amount,
    pub at: Now,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    pub purpose: Purpose,
    pub end: End,
    pub at: Now,
    /// It ended under an earlier runner: nothing is repeated by itself on its account.
    pub earlier: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Task(TaskOutcome),
    Look(Reality),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    pub kind: QuestionKind,
    pub answer: Answer,
    pub by: Actor,
    pub at: Now,
}

/// A task in flight.
#[derive(Clone, Debug, PartialEq)]
pub struct Working {
    pub step: StepId,
    pub attempt: u32,
    pub purpose: Purpose,
    pub since: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abort {
    pub by: Actor,
    pub reason: String,
    pub undo: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    pub by: Actor,
    pub reason: String,
    pub incident: Option<String>,
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    pub step: StepId,
    pub at: Timestamp,
    pub by: Actor,
    /// `skipped: …`, `drift accepted: …`, `done by hand: …`.
    pub text: String,
}

impl RunState {
    /// From when recovery is measured: the start, or the end of the step that stands for the disaster.
    pub fn clock_began(&self) -> Option<Timestamp> {
        match &self.plan.clock {
            None => self.started_at,
            Some(step) => self.step(step).filter(|record| record.state.is_settled())?.ended_at,
        }
    }

    /// Whether time passes because a person has not answered, resumed or begun yet.
    pub fn awaits_person(&self) -> bool {
        self.started_at.is_some()
            && !self.status.is_over()
            && self.is_idle()
            && (self.question.is_some() || self.paused.is_some())
    }

    /// Whether no task is in flight.
    pub fn is_idle(&self) -> bool {
        self.working.is_empty()
    }

    /// The task that is in flight for the step.
    pub fn working_on(&self, step: &StepId) -> Option<&Working> {
        self.working.iter().find(|working| &working.step == step)
    }

    /// Whether steps that change something may start at `now`.
    pub fn is_armed(&self, now: Timestamp) -> bool {
        self.armed.as_ref().is_some_and(|armed| armed.until > now)
    }

    pub fn step(&self, id: &StepId) -> Option<&StepRecord> {
        self.steps.iter().find(|step| &step.id == id)
    }
}
