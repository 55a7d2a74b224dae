//! Small conversions that the machine's files share: values as event data, tasks of a step.

use super::advance::At;
use super::machine::Now;
use crate::event::{EventKind, Purpose};
use crate::model::task::{Effect, Reality, TaskOutcome, TaskSpec};
use crate::runbook::plan::PlannedAction;
use crate::runbook::probe::Post;
use crate::runbook::state::StepState;
use serde::Serialize;
use serde_json::Value;

/// How long after its reading an identity may carry a question or an act.
const FRESH: chrono::Duration = chrono::Duration::seconds(10);
/// How long a yes may wait for its act: the target is identified meanwhile, which takes up to a minute.
const YES_HOLDS: chrono::Duration = chrono::Duration::seconds(120);

/// A value of this layer as an event carries it.
pub fn data(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

impl At<'_> {
    pub fn changes(&self) -> bool {
        self.planned.effect != Effect::Observe
    }

    /// Why a step that only reads came back without an answer; `None` for every other step and end.
    pub fn saw_nothing(&self) -> Option<&str> {
        match &self.record.outcome {
            Some(TaskOutcome::Unknown { failure }) if !self.changes() => Some(&failure.what),
            _ => None,
        }
    }

    pub fn task(&self) -> Option<&TaskSpec> {
        match &self.planned.action {
            PlannedAction::Task(task) => Some(task),
            _ => None,
        }
    }

    pub fn step(&self) -> crate::model::id::StepId {
        self.planned.id.clone()
    }

    /// Whether the target's identity was read so long ago that it says nothing about now: a pause, a full
    /// disk or the end of a runner came between.
    pub fn is_stale(&self) -> bool {
        let read = self.record.identity.as_ref().map(|identity| identity.read_at);
        let read = read.map(|at| Now { at, mono_ms: self.record.notes.read_mono_ms });
        self.planned.target.is_some() && read.is_none_or(|read| !self.within(FRESH, read))
    }

    /// Whether what follows from this moment may still be done without asking.
    pub fn is_now(&self, then: Now) -> bool {
        self.within(YES_HOLDS, then)
    }

    /// Whether a yes was given so long ago that it does not speak of now.
    pub fn yes_is_late(&self) -> bool {
        let answered = self.record.notes.answered.as_ref().filter(|answered| answered.is_confirmation());
        let given = answered.map(|answered| answered.at).or(self.record.notes.confirmed_at);
        given.is_some_and(|given| !self.within(YES_HOLDS, given))
    }

    /// Whether both clocks agree that this was so short a time ago. The wall clock may have been set, forth or
    /// back; the runner's own stands still while the machine sleeps.
    fn within(&self, span: chrono::Duration, then: Now) -> bool {
        let passed = self.now.at.signed_duration_since(then.at);
        let counted = self.now.mono_ms.saturating_sub(then.mono_ms);
        passed.abs() <= span && i128::from(counted) <= i128::from(span.num_milliseconds())
    }

    /// The intent to run a task for the step; `None` where the step has no such task.
    pub fn intend(&self, purpose: Purpose) -> Option<EventKind> {
        let probes = self.planned.post.as_ref().filter(|_| purpose == Purpose::Verify).map(Post::task);
        let task = match purpose {
            Purpose::Run | Purpose::Reconcile | Purpose::Count => self.task(),
            Purpose::Undo | Purpose::ReconcileUndo => self.planned.undo.as_ref(),
            Purpose::IdentifyToAsk | Purpose::IdentifyToAct => self.planned.target.as_ref(),
            Purpose::Verify => probes.as_ref(),
        }?;
        let attempt = self.record.attempt + u32::from(purpose == Purpose::Run);
        let task = match purpose {
            Purpose::Run | Purpose::Reconcile => self.with_proofs(task.clone()),
            _ => task.clone(),
        };
        let epoch = self.state.epoch();
        Some(EventKind::TaskIntended { step: self.step(), attempt, purpose, task, epoch })
    }

    pub fn failed(&self, why: impl Into<String>) -> EventKind {
        EventKind::StepFailed { step: self.step(), why: why.into() }
    }

    pub fn unknown(&self, why: impl Into<String>) -> EventKind {
        EventKind::StepUnknown { step: self.step(), why: why.into() }
    }

    /// Whether the step changed something, or may have, and that was not taken back.
    pub fn took_effect(&self) -> bool {
        let untouched = matches!(self.record.reality, Some(Reality::NotDone(_)))
            && matches!(
                self.record.state,
                StepState::Pending
                    | StepState::Ready
                    | StepState::Blocked
                    | StepState::AwaitingAnswer
                    | StepState::AwaitingApproval
                    | StepState::Armed
                    | StepState::Failed
                    | StepState::TimedOut
                    | StepState::Skipped
                    | StepState::Cancelled
            );
        // What a person said they did is there, whatever its probes say.
        let by_person = self.task().is_none() && self.record.outcome.is_some();
        let begun = self.record.attempt > 0
            || by_person
            || matches!(self.record.state, StepState::Done | StepState::DoneByHand)
            || self.record.may_be_there();
        self.changes()
            && begun
            && !untouched
            && !matches!(self.record.state, StepState::Compensated | StepState::NotRun)
    }
}
