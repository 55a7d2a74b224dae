//! The way out: learn what is unsettled, take back what can be taken back, name what remains.

use super::advance::At;
use super::machine::Now;
use super::{settle, words};
use crate::event::{EventKind, Purpose};
use crate::model::task::Effect;
use crate::runbook::state::{RunState, RunStatus, StepState};

pub fn next(state: &RunState, now: Now) -> EventKind {
    let taken_back = || state.abort.as_ref().filter(|abort| abort.undo).and_then(|_| undo(state, now));
    state
        .walk(now)
        .find_map(settle::ended)
        .or_else(|| state.walk(now).find_map(look))
        .or_else(taken_back)
        .unwrap_or_else(|| end(state, now))
}

/// Steps about which an ending cannot be honest yet.
fn look(at: At<'_>) -> Option<EventKind> {
    match at.record.state {
        StepState::Compensating => {
            at.intend(if at.record.notes.undo_cut_off { Purpose::ReconcileUndo } else { Purpose::Undo })
        }
        StepState::Running => Some(at.unknown("it ran, and no end of it was recorded")),
        StepState::Verifying if !at.record.notes.unseen => Some(at.worked()),
        StepState::Interrupted | StepState::Unknown | StepState::Reconciling | StepState::Cancelled
            if at.changes() && at.record.attempt > 0 && !at.record.notes.looked =>
        {
            at.intend(Purpose::Reconcile)
        }
        _ if at.record.notes.unseen => at.look_after_takeover(),
        StepState::TimedOut if at.changes() && !at.planned.idempotent && !at.record.notes.looked => {
            at.intend(Purpose::Reconcile)
        }
        _ => None,
    }
}

/// The undo of the last step that took effect. An undo builds on those after it: where one failed, or a
/// step beyond return has none, everything before it stays.
fn undo(state: &RunState, now: Now) -> Option<EventKind> {
    for at in state.walk(now).rev().filter(At::took_effect) {
        let by_hand = at.record.state == StepState::DoneByHand;
        if at.record.state == StepState::CompensationFailed || state.is_beyond_return(&at.planned.id) {
            return None;
        }
        if at.planned.undo.is_some() && !by_hand {
            return at.intend(Purpose::Undo);
        }
        if by_hand || at.planned.effect >= Effect::Fence {
            return None;
        }
    }
    None
}

fn end(state: &RunState, now: Now) -> EventKind {
    let leftovers: Vec<String> = state.walk(now).filter(At::took_effect).map(leftover).collect();
    let status = if leftovers.is_empty() { RunStatus::AbortedClean } else { RunStatus::AbortedDirty };
    EventKind::RunEnded { status: words::data(&status), leftovers }
}

fn leftover(at: At<'_>) -> String {
    let why = at.record.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let standing = match at.record.state {
        StepState::Done if at.state.is_beyond_return(&at.planned.id) => "was done and is committed".to_owned(),
        StepState::Done => "was done and is not taken back".to_owned(),
        StepState::DoneByHand => format!("was done by hand and is not taken back{why}"),
        StepState::CompensationFailed => format!("could not be taken back{why}"),
        StepState::Failed | StepState::TimedOut => format!("failed and may have left something{why}"),
        StepState::Cancelled => format!("was stopped and may have left something{why}"),
        StepState::Skipped => format!("was begun, then skipped, and may have left something{why}"),
        _ => format!("may or may not have taken effect{why}"),
    };
    format!("{} ({}) {standing}", at.planned.title, at.planned.id)
}
