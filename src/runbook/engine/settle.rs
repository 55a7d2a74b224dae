//! What follows from the end of a task, and from an answer.

use super::advance::At;
use super::{identity, limit, probe, stop, turn};
use crate::event::{EventKind, Purpose};
use crate::model::task::{CancelReason, Reality, TargetIdentity, TaskOutcome};
use crate::model::time::Timestamp;
use crate::runbook::definition::Confirm;
use crate::runbook::intent::Answer;
use crate::runbook::state::{End, QuestionKind, StepState};

/// The event that the end of the step's last task leads to.
pub fn ended(at: At<'_>) -> Option<EventKind> {
    let ended = at.record.notes.ended.as_ref()?;
    match (ended.purpose, &ended.end) {
        (purpose, End::Task(TaskOutcome::Cancelled { reason: CancelReason::Shutdown })) => {
            Some(EventKind::StepInterrupted { step: at.step(), purpose })
        }
        (Purpose::Run, End::Task(outcome)) if at.stopped().is_some() => Some(stop::ended(at, outcome)),
        (Purpose::Reconcile, End::Look(reality)) if at.stopped().is_some() => Some(stop::looked(at, reality)),
        (Purpose::Run, End::Task(outcome)) => run_ended(at, outcome, !ended.earlier && at.is_now(ended.at)),
        (Purpose::Reconcile, End::Look(reality)) if at.state.turn.is_some() => Some(turn::looked(at, reality)),
        (Purpose::Reconcile, End::Look(reality)) => Some(looked(at, reality)),
        (Purpose::Reconcile, End::Task(_)) => Some(at.unknown("the look at the world did not finish")),
        (Purpose::Undo, End::Task(outcome)) => undo_ended(at, outcome),
        (Purpose::ReconcileUndo, End::Look(reality)) => undo_looked(at, reality),
        (Purpose::IdentifyToAsk | Purpose::IdentifyToAct, End::Task(outcome)) => {
            Some(identified(at, outcome, ended.at.at))
        }
        (Purpose::Count, End::Task(outcome)) => Some(limit::ended(at, outcome)),
        (Purpose::Verify, End::Task(outcome)) => Some(probe::ended(at, outcome)),
        (Purpose::ReconcileUndo, End::Task(_)) => Some(undo_failed(at, "nobody knows whether the undo took effect")),
        (_, End::Look(_)) => Some(at.unknown("a task ended in a way that its purpose does not have")),
    }
}

/// `now` says that nothing stood still since it ended.
fn run_ended(at: At<'_>, outcome: &TaskOutcome, now: bool) -> Option<EventKind> {
    let again = now
        && at.planned.idempotent
        // A target is identified, and what a limit is about counted, before every act; only asking anew does that.
        && at.planned.target.is_none()
        && at.planned.limit.is_none()
        && at.record.attempt <= at.planned.retry
        && at.planned.confirm < Confirm::Phrase
        && at.approval().is_none()
        && at.state.abort.is_none()
        && at.state.paused.is_none()
        && (!at.changes() || at.state.is_armed(at.now.at));
    match outcome {
        TaskOutcome::Done { output } => Some(at.done(output)),
        TaskOutcome::Failed { .. } if again => at.intend(Purpose::Run),
        TaskOutcome::Failed { failure } => Some(at.failed(&failure.what)),
        TaskOutcome::Unknown { failure } => Some(at.unknown(&failure.what)),
        TaskOutcome::Cancelled { reason: CancelReason::Deadline } => Some(EventKind::StepTimedOut { step: at.step() }),
        TaskOutcome::Cancelled { .. } if at.state.abort.is_some() => {
            Some(EventKind::StepCancelled { step: at.step(), why: "stopped by the abort while it ran".to_owned() })
        }
        TaskOutcome::Cancelled { .. } => Some(at.unknown("it stopped without being asked to")),
    }
}

fn looked(at: At<'_>, reality: &Reality) -> EventKind {
    match reality {
        Reality::Done(output) => at.done(output),
        Reality::NotDone(why) if at.state.abort.is_some() => {
            EventKind::StepCancelled { step: at.step(), why: format!("it took no effect: {why}") }
        }
        // Cut off from outside and without effect: as if its turn had just come. It is confirmed anew.
        Reality::NotDone(_) if at.record.notes.interrupted => EventKind::StepReady { step: at.step() },
        // A look has no effect to be unsure of: what remains is why it saw nothing.
        Reality::NotDone(why) => {
            at.failed(at.saw_nothing().map_or_else(|| format!("it took no effect: {why}"), str::to_owned))
        }
        Reality::Partial(why) => at.failed(format!("it took effect in part: {why}")),
        Reality::Unknown(failure) => at.unknown(&failure.what),
    }
}

fn undo_failed(at: At<'_>, why: impl Into<String>) -> EventKind {
    EventKind::StepUndoFailed { step: at.step(), why: why.into() }
}

fn undo_ended(at: At<'_>, outcome: &TaskOutcome) -> Option<EventKind> {
    match outcome {
        TaskOutcome::Done { .. } => Some(EventKind::StepUndone { step: at.step() }),
        TaskOutcome::Failed { failure } => Some(undo_failed(at, format!("undo failed: {}", failure.what))),
        TaskOutcome::Unknown { .. } | TaskOutcome::Cancelled { .. } => at.intend(Purpose::ReconcileUndo),
    }
}

fn undo_looked(at: At<'_>, reality: &Reality) -> Option<EventKind> {
    match reality {
        Reality::Done(_) => Some(EventKind::StepUndone { step: at.step() }),
        // It goes on only while the run may still change something; otherwise someone is asked again.
        Reality::NotDone(_)
            if at.record.notes.undo_cut_off && (at.state.abort.is_some() || at.state.is_armed(at.now.at)) =>
        {
            at.intend(Purpose::Undo)
        }
        Reality::NotDone(why) => Some(undo_failed(at, format!("the undo took no effect: {why}"))),
        Reality::Partial(why) => Some(undo_failed(at, format!("the undo took effect in part: {why}"))),
        Reality::Unknown(failure) => {
            Some(undo_failed(at, format!("nobody knows whether the undo took effect: {}", failure.what)))
        }
    }
}

/// An identity was read: before the question it is shown, after the answer it must be what was shown.
fn identified(at: At<'_>, outcome: &TaskOutcome, read_at: Timestamp) -> EventKind {
    if at.state.abort.is_some() {
        return EventKind::StepCancelled { step: at.step(), why: "the run was aborted before it began".to_owned() };
    }
    let unreadable = |why: &str| at.failed(format!("its target could not be identified: {why}"));
    let identity = match outcome {
        TaskOutcome::Done { output } => match identity::parse(output, read_at) {
            Ok(identity) => identity,
            Err(why) => return unreadable(&why),
        },
        TaskOutcome::Failed { failure } | TaskOutcome::Unknown { failure } => return unreadable(&failure.what),
        TaskOutcome::Cancelled { .. } => return unreadable("the look took too long"),
    };
    let shown = at.record.identity.as_ref().filter(|_| at.record.state == StepState::Armed);
    let number = at.record.notes.confirmed;
    match shown.map(|shown| changes(shown, &identity)) {
        Some(changed) if !changed.is_empty() => EventKind::QuestionWithdrawn {
            number: number.unwrap_or(at.state.asked),
            why: format!("the target changed after the question was put ({changed}); nothing was started"),
        },
        _ => {
            let expected = at.record.accepted.as_ref().or(at.planned.identity.as_ref());
            let drift = expected.map(|expected| expected.differences(&identity)).unwrap_or_default();
            EventKind::IdentityRead { step: at.step(), identity, drift }
        }
    }
}

fn changes(shown: &TargetIdentity, live: &TargetIdentity) -> String {
    let mut names: Vec<String> = shown.differences(live).into_iter().map(|(fact, _, _)| fact).collect();
    if shown.title != live.title {
        names.insert(0, "title".to_owned());
    }
    names.join(", ")
}

/// The event that an accepted answer leads to.
pub fn answered(at: At<'_>) -> Option<EventKind> {
    let answered = at.record.notes.answered.as_ref()?;
    let step = at.step();
    Some(match (&answered.kind, &answered.answer) {
        (_, Answer::Skip { reason }) => EventKind::StepSkipped { step, reason: reason.clone() },
        (QuestionKind::Answer { .. }, Answer::No) => at.failed(format!("{} answered no", answered.by)),
        (QuestionKind::Attest { .. }, Answer::No) => at.failed(format!("{} could not do it", answered.by)),
        (QuestionKind::Answer { .. } | QuestionKind::Attest { .. }, _) => at.worked(),
        (_, Answer::DoneByHand { evidence }) if at.state.turn.is_some() => {
            EventKind::StepUndoneByHand { step, evidence: evidence.clone() }
        }
        (_, Answer::DoneByHand { evidence }) => EventKind::StepDoneByHand { step, evidence: evidence.clone() },
        (_, Answer::AcceptDrift { reason }) => EventKind::DriftAccepted { step, reason: reason.clone() },
        (QuestionKind::Proof { missing, loss: Some(loss), .. }, Answer::Phrase { .. }) => {
            EventKind::ProofDeclared { step, missing: missing.clone(), loss: loss.clone() }
        }
        (QuestionKind::Proof { from: Some(from), .. }, Answer::Retry) => {
            EventKind::StepReopened { step: from.clone(), wanted_by: step }
        }
        (QuestionKind::Drift | QuestionKind::Limit { .. }, Answer::LookAgain) | (_, Answer::Retry) => {
            EventKind::StepReady { step }
        }
        (_, Answer::LookAgain) => return at.look_again(),
        // The answer was taken while the run was armed; the runner may have gone before it could act on it.
        (_, Answer::Undo) if at.state.abort.is_none() && !at.state.is_armed(at.now.at) => {
            at.failed("it was not taken back: the run had become read-only before the undo could start")
        }
        (_, Answer::Undo) => return at.intend(Purpose::Undo),
        (_, Answer::No) => {
            EventKind::Paused { cause: format!("{} said no to “{}”", answered.by, at.planned.title) }
        }
        (QuestionKind::Key | QuestionKind::Phrase { .. }, _) if at.yes_is_late() => EventKind::StepReady { step },
        (QuestionKind::Key | QuestionKind::Phrase { .. }, _) => EventKind::StepConfirmed { step },
        // The answer does not belong to its question; it is put again.
        _ => EventKind::StepReady { step },
    })
}
