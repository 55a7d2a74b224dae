//! The way back to another point: from the commit point to a named step, each step on it taken back by the plan
//! under which it was done; then the next plan is in force.

use super::advance::At;
use super::machine::{Now, Order};
use super::{ask, settle};
use crate::event::{Event, EventKind, Purpose};
use crate::model::id::StepId;
use crate::model::task::Reality;
use crate::runbook::commit::Turn;
use crate::runbook::state::{RunState, StepRecord, StepState};
use std::sync::Arc;

pub fn next(state: &RunState, turn: &Turn, now: Now) -> Option<EventKind> {
    let back = || {
        let steps: Vec<At<'_>> = state
            .walk(now)
            .skip_while(|at| at.planned.id != turn.back_to)
            .take_while(|at| at.planned.commit.is_none())
            .collect();
        steps.into_iter().rev()
    };
    if let Some(kind) = back().find_map(|at| settle::ended(at).or_else(|| settle::answered(at))) {
        return Some(kind);
    }
    if state.paused.is_some() {
        return None;
    }
    let went_back = || EventKind::WentBack { back_to: turn.back_to.clone(), plan_digest: turn.next.digest.clone() };
    back().find_map(take_back).or_else(|| Some(went_back()))
}

/// What a step still needs to be taken back; `None` where nothing of it is there.
fn take_back(at: At<'_>) -> Option<EventKind> {
    let next = match at.record.state {
        StepState::Compensating if at.record.notes.undo_cut_off => at.intend(Purpose::ReconcileUndo),
        StepState::Compensating => at.intend(Purpose::Undo),
        _ if at.record.notes.unseen => at.look_after_takeover(),
        StepState::Running | StepState::Verifying => Some(at.unknown("it worked, and no end of it was recorded")),
        StepState::Interrupted | StepState::Reconciling => at.intend(Purpose::Reconcile),
        StepState::Unknown if at.changes() && !at.record.notes.looked => at.intend(Purpose::Reconcile),
        StepState::Unknown if at.changes() => Some(ask::unknown(at)),
        _ if !at.took_effect() => return None,
        StepState::Failed | StepState::TimedOut | StepState::CompensationFailed => None,
        _ if !at.state.is_armed(at.now.at) => Some(ask::arm(at)),
        _ => at.intend(Purpose::Undo),
    };
    // What no task takes back, a person does, and says so.
    next.or_else(|| Some(ask::not_taken_back(at)))
}

/// A look on the way back: what is not there need not be taken back.
pub fn looked(at: At<'_>, reality: &Reality) -> EventKind {
    match reality {
        Reality::NotDone(_) => EventKind::StepUndone { step: at.step() },
        Reality::Done(_) => at.failed("it is still there, wholly"),
        Reality::Partial(why) => at.failed(format!("something of it is still there: {why}")),
        Reality::Unknown(failure) => at.unknown(&failure.what),
    }
}

impl RunState {
    /// Whether the run has turned back from this commit point.
    pub(super) fn turns_from(&self, step: &StepId) -> bool {
        self.turn.is_some() && self.plan.step(step).is_some_and(|planned| planned.commit.is_some())
    }

    /// The next plan is in force from here on: what it does anew begins anew.
    pub(super) fn went_back(&mut self, event: &Event) -> Vec<Order> {
        let EventKind::WentBack { .. } = &event.kind else { return vec![] };
        let Some(turn) = self.turn.take() else { return vec![] };
        let mut anew = false;
        for (planned, record) in self.plan.steps.iter().zip(&mut self.steps) {
            anew |= planned.id == turn.back_to;
            if anew {
                *record = StepRecord {
                    attempt: record.attempt,
                    limit: record.limit,
                    reality: (record.attempt > 0)
                        .then(|| Reality::NotDone("it was taken back, to go to another point".to_owned())),
                    ..StepRecord::pending(record.id.clone())
                };
            }
            if planned.commit.is_some() {
                break;
            }
        }
        self.plan = turn.next;
        self.provisional = None;
        vec![Order::Replanned { plan: Arc::clone(&self.plan) }]
    }
}
