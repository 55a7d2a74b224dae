//! A step whose work was told to stop because a condition that its runbook names was seen: what it left is
//! looked at, and whatever that says, a person decides.

use super::advance::At;
use super::machine::Order;
use crate::event::EventKind;
use crate::model::id::StepId;
use crate::model::task::{CancelReason, Reality, TaskOutcome};
use crate::runbook::state::RunState;

impl At<'_> {
    /// Why its last attempt was told to stop. An abort goes its own way.
    pub fn stopped(&self) -> Option<&str> {
        self.record.notes.stopped.as_deref().filter(|_| self.state.abort.is_none())
    }

    fn told(&self, what: &str) -> String {
        format!("it was told to stop ({}); {what}", self.stopped().unwrap_or_default())
    }
}

pub fn ended(at: At<'_>, outcome: &TaskOutcome) -> EventKind {
    match outcome {
        TaskOutcome::Done { .. } => at.failed(at.told("it had come to its end by then, and took effect")),
        TaskOutcome::Failed { failure } => at.failed(at.told(&failure.what)),
        TaskOutcome::Unknown { failure } => at.unknown(at.told(&failure.what)),
        TaskOutcome::Cancelled { .. } => at.unknown(at.told("what it left is not known yet")),
    }
}

pub fn looked(at: At<'_>, reality: &Reality) -> EventKind {
    match reality {
        Reality::Done(_) => at.failed(at.told("it had taken effect, wholly")),
        Reality::NotDone(why) => at.failed(at.told(&format!("it took no effect: {why}"))),
        Reality::Partial(why) => at.failed(at.told(&format!("it took effect in part: {why}"))),
        Reality::Unknown(failure) => at.unknown(at.told(&failure.what)),
    }
}

impl RunState {
    pub(super) fn stop_met(&mut self, step: &StepId, why: &str) -> Vec<Order> {
        if let Some(record) = self.steps.iter_mut().find(|record| &record.id == step) {
            record.notes.stopped = Some(why.to_owned());
        }
        vec![Order::CancelTask { step: step.clone(), reason: CancelReason::Condition }]
    }
}
