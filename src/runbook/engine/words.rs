//! Small conversions that the machine's files share: values as event data, tasks of a step.

use super::advance::At;
use crate::event::{EventKind, Purpose};
use crate::model::task::{Effect, Reality, TaskSpec};
use crate::runbook::plan::PlannedAction;
use crate::runbook::state::StepState;
use serde::Serialize;
use serde_json::Value;

/// A value of this layer as an event carries it.
pub fn data(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

impl At<'_> {
    pub fn changes(&self) -> bool {
        self.planned.effect != Effect::Observe
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

    /// The intent to run a task for the step; `None` where the step has no such task.
    pub fn intend(&self, purpose: Purpose) -> Option<EventKind> {
        let task = match purpose {
            Purpose::Run | Purpose::Reconcile => self.task(),
            Purpose::Undo | Purpose::ReconcileUndo => self.planned.undo.as_ref(),
            Purpose::IdentifyToAsk | Purpose::IdentifyToAct => self.planned.target.as_ref(),
        }?;
        let attempt = self.record.attempt + u32::from(purpose == Purpose::Run);
        Some(EventKind::TaskIntended { step: self.step(), attempt, purpose, task: task.clone() })
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
                StepState::Failed | StepState::Cancelled | StepState::Ready | StepState::TimedOut
            );
        let begun = self.record.attempt > 0 || matches!(self.record.state, StepState::Done | StepState::DoneByHand);
        self.changes()
            && begun
            && !untouched
            && !matches!(self.record.state, StepState::Compensated | StepState::NotRun)
    }
}
