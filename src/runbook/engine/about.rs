//! What an event about a step is about: the step, and what it adds to the run's exceptions.

use crate::event::EventKind;
use crate::model::id::StepId;
use crate::runbook::state::StepRecord;

/// What the event adds to the run's exceptions.
pub(super) fn exception(kind: &EventKind, record: &StepRecord) -> Option<String> {
    match kind {
        EventKind::StepSkipped { reason, .. } => Some(format!("skipped ({}): {reason}", record.state)),
        EventKind::StepDoneByHand { evidence, .. } => Some(format!("done by hand: {evidence}")),
        EventKind::StepUndoneByHand { evidence, .. } => Some(format!("taken back by hand: {evidence}")),
        EventKind::DriftAccepted { reason, .. } => Some(format!("drift accepted: {reason}")),
        EventKind::ProofDeclared { missing, loss, .. } => {
            Some(format!("declared, without {}: {loss}", missing.join(", ")))
        }
        _ => None,
    }
}

/// The step that an event about a step's standing is about.
pub(super) fn step_of(kind: &EventKind) -> Option<&StepId> {
    match kind {
        EventKind::StepReady { step }
        | EventKind::IdentityRead { step, .. }
        | EventKind::StepConfirmed { step }
        | EventKind::StepBlocked { step, .. }
        | EventKind::StepDone { step }
        | EventKind::StepFailed { step, .. }
        | EventKind::StepTimedOut { step }
        | EventKind::StepInterrupted { step, .. }
        | EventKind::StepUnknown { step, .. }
        | EventKind::StepSkipped { step, .. }
        | EventKind::StepNotRun { step, .. }
        | EventKind::StepCancelled { step, .. }
        | EventKind::StepDoneByHand { step, .. }
        | EventKind::StepUndone { step }
        | EventKind::StepUndoneByHand { step, .. }
        | EventKind::StepUndoFailed { step, .. }
        | EventKind::ProofDeclared { step, .. }
        | EventKind::StepReopened { step, .. }
        | EventKind::DriftAccepted { step, .. } => Some(step),
        _ => None,
    }
}
