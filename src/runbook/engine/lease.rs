//! How a run stands to its lease, and what that forbids.

use super::advance::At;
use crate::event::{Event, EventKind, Purpose};
use crate::runbook::intent::Intent;
use crate::runbook::plan::PlannedAction;
use crate::runbook::state::{RunState, Standing, StepState};

impl RunState {
    /// Epoch under which tasks start; 0 where the run needs no lease.
    pub fn epoch(&self) -> u64 {
        self.lease.as_ref().map_or(0, |lease| lease.epoch)
    }

    /// Who holds the run's lock scopes instead of it.
    pub fn fenced_off(&self) -> Option<&str> {
        self.lease.as_ref()?.lost.as_deref()
    }

    pub(super) fn lapsed(&self) -> Option<&str> {
        self.lease.as_ref()?.lapsed.as_deref()
    }

    /// Makes an event about the lease true; returns why the run pauses on it.
    pub(super) fn lease_event(&mut self, event: &Event) -> Option<String> {
        match &event.kind {
            EventKind::LeaseAcquired { epoch, place, taken_from, .. } => {
                self.lease = Some(Standing {
                    epoch: *epoch,
                    place: place.clone(),
                    taken_from: taken_from.clone(),
                    lapsed: None,
                    lost: None,
                });
                if taken_from.is_some() {
                    self.new_operator(&event.actor);
                    self.distrust();
                }
                None
            }
            EventKind::LeaseLapsed { why } => {
                self.lease.as_mut()?.lapsed = Some(why.clone());
                Some(format!("the lease lapsed: {why}"))
            }
            EventKind::LeaseRenewed => {
                self.lease.as_mut()?.lapsed = None;
                None
            }
            EventKind::LeaseLost { why } => {
                self.lease.as_mut()?.lost = Some(why.clone());
                Some(format!("fenced off: {why}"))
            }
            _ => None,
        }
    }

    /// The old holder may have gone further than what is known of it: every step that is not settled and
    /// changes something is looked at before anything else happens to it.
    fn distrust(&mut self) {
        for (planned, record) in self.plan.steps.iter().zip(&mut self.steps) {
            let changes = planned.effect != crate::model::task::Effect::Observe;
            let task = matches!(planned.action, PlannedAction::Task(_));
            record.notes.unseen = changes && task && !record.state.is_settled();
            // What was answered before was answered to what was known then.
            if record.notes.unseen
                && record.notes.answered.take().is_some()
                && matches!(record.state, StepState::AwaitingAnswer | StepState::AwaitingApproval)
            {
                record.state = StepState::Ready;
            }
        }
    }
}

impl At<'_> {
    /// The look at what an old holder may have done, where it is due.
    pub fn look_after_takeover(&self) -> Option<EventKind> {
        if self.record.notes.unseen { self.intend(Purpose::Reconcile) } else { None }
    }
}

/// Why the run's standing forbids a wish.
pub fn forbids(state: &RunState, intent: &Intent) -> Option<String> {
    if let Some(why) = state.fenced_off() {
        return Some(format!("this copy of the run is fenced off: {why}"));
    }
    match intent {
        Intent::Start { .. } if state.plan.needs_lease() && state.lease.is_none() => {
            Some(format!("the run does not hold its lock yet ({})", state.plan.lock_scope.join(", ")))
        }
        Intent::Start { .. } | Intent::Resume => {
            state.lapsed().map(|why| format!("the lease is not renewed yet: {why}"))
        }
        Intent::Abort { undo: true, .. } => {
            let without = "abort without undo, or wait until it is renewed";
            state.lapsed().map(|why| format!("nothing is taken back while the lease is not renewed ({why}); {without}"))
        }
        _ => None,
    }
}

/// Whether the standing holds `next` back until it changes.
pub fn holds_back(state: &RunState, next: &EventKind) -> bool {
    let changes = matches!(next, EventKind::TaskIntended { purpose: Purpose::Run | Purpose::Undo, .. });
    state.lapsed().is_some() && changes
}
