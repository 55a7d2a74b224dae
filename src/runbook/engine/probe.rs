//! What must hold after a step's work: looked at before the step counts as done, and again after every
//! break in between.

use super::advance::At;
use crate::event::{EventKind, Purpose};
use crate::model::task::{CancelReason, Failure, TaskOutcome};
use crate::runbook::plan::PlannedAction;
use crate::runbook::state::{Answered, Ended, StepNotes, StepRecord, StepState};
use std::time::Duration;

/// How long beyond their own time probes may take to come to their end.
pub(super) const SLACK: Duration = Duration::from_mins(2);

impl At<'_> {
    /// The end of the step's own work: its probes are looked at, or it is done.
    pub fn worked(&self) -> EventKind {
        if self.planned.post.is_none() {
            return EventKind::StepDone { step: self.step() };
        }
        if self.state.abort.is_some() {
            return self.failed("it took effect; whether that holds was not looked at, because the run is aborted");
        }
        self.intend(Purpose::Verify).unwrap_or_else(|| EventKind::StepDone { step: self.step() })
    }

    /// The answer to “look again”. A step of a person, and one that only reads, leaves nothing but its probes to
    /// look at.
    pub fn look_again(&self) -> Option<EventKind> {
        let task = matches!(self.planned.action, PlannedAction::Task(_));
        let probes = self.record.notes.probed.is_some() && (!task || !self.changes());
        self.intend(if probes { Purpose::Verify } else { Purpose::Reconcile })
    }
}

/// The end of the probes.
pub fn ended(at: At<'_>, outcome: &TaskOutcome) -> EventKind {
    let what = match outcome {
        TaskOutcome::Done { .. } => return EventKind::StepDone { step: at.step() },
        TaskOutcome::Failed { failure } => format!("it took effect, and that does not hold: {}", failure.what),
        TaskOutcome::Unknown { failure } => failure.what.clone(),
        TaskOutcome::Cancelled { reason: CancelReason::Deadline } => "its probes came to no end in time".to_owned(),
        TaskOutcome::Cancelled { .. } => "the look was cut off".to_owned(),
    };
    match outcome {
        TaskOutcome::Failed { .. } => at.failed(what),
        _ if at.state.abort.is_some() => at.failed(format!("it took effect; whether that holds is not known: {what}")),
        _ => at.unknown(what),
    }
}

impl StepRecord {
    /// What the work, or the person, left is the step's output from here on; the probes only say whether it stands.
    pub(super) fn probes_begin(&mut self, ended: Option<Ended>, answered: Option<Answered>) {
        if let Some(output) = ended.and_then(Ended::output).or_else(|| answered.map(Answered::output)) {
            self.outcome = Some(TaskOutcome::Done { output });
        }
        self.state = StepState::Verifying;
        self.why = None;
        self.ended_at = None;
        self.notes.probed = None;
    }

    /// Done, with what the probes saw beside its output.
    pub(super) fn probes_hold(&mut self) {
        if let (Some(TaskOutcome::Done { output }), Some(TaskOutcome::Done { output: seen })) =
            (&mut self.outcome, &self.notes.probed)
        {
            output.extend(seen.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
    }

    /// How its probes ended, where they did not hold.
    pub fn broken_probes(&self) -> Option<&TaskOutcome> {
        self.notes.probed.as_ref().filter(|outcome| !matches!(outcome, TaskOutcome::Done { .. }))
    }

    /// Why its last attempt, or what was looked at after it, did not end well.
    pub fn last_failure(&self) -> Option<&Failure> {
        match self.broken_probes().or(self.outcome.as_ref())? {
            TaskOutcome::Failed { failure } | TaskOutcome::Unknown { failure } => Some(failure),
            _ => None,
        }
    }
}

impl StepNotes {
    /// Probes that could not be looked at are not looked at again by themselves.
    pub(super) fn probes_ended(&mut self, outcome: &TaskOutcome) {
        self.probed = Some(outcome.clone());
        self.looked = true;
    }
}
