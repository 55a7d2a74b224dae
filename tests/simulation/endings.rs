//! An ending is true of the world: what is done is there, what remains is named, what a drill made is owed.

use crate::sim::{Held, Sim};
use crate::world::{Amount, World};
use relight::runbook::plan::PlannedAction;
use relight::runbook::{RunState, RunStatus, StepState};

impl Sim<'_> {
    pub fn check_end(&self) -> Held {
        if self.refused || self.hands.misled {
            return Ok(());
        }
        Ending { world: &self.hands.world, taken_over: false }.check(&self.shadow)
    }
}

/// The world as a run leaves it.
pub struct Ending<'a> {
    pub world: &'a World,
    /// Someone took the run over on its way.
    pub taken_over: bool,
}

impl Ending<'_> {
    pub fn check(&self, state: &RunState) -> Held {
        self.owed(state)?;
        let exceptions = !state.exceptions.is_empty();
        match &state.status {
            RunStatus::Completed if exceptions => return Err("exceptions are passed over".to_owned()),
            RunStatus::CompletedWithExceptions if !exceptions => return Err("no exceptions are named".to_owned()),
            RunStatus::Completed | RunStatus::CompletedWithExceptions => self.completed(state)?,
            RunStatus::AbortedClean | RunStatus::AbortedDirty => self.aborted(state)?,
            other => return Err(format!("the run is over and {other:?}")),
        }
        Ok(())
    }

    /// Whatever a drill has made and that is still there is among its debts.
    fn owed(&self, state: &RunState) -> Held {
        for (index, planned) in state.plan.steps.iter().enumerate() {
            let made = planned.makes.is_some() && state.steps[index].attempt > 0;
            let listed = || state.debts.iter().any(|debt| debt.step == planned.id && debt.is_due());
            if made && self.world.remains(index) && !listed() {
                return Err(format!("{} made something that is there and not owed: {:?}", planned.id, state.debts));
            }
        }
        Ok(())
    }

    fn completed(&self, state: &RunState) -> Held {
        for (index, record) in state.steps.iter().enumerate() {
            let place = &self.world.places[index];
            let amount = place.amount;
            // Removed again at the end; what of it is left is owed.
            if self.world.places.iter().any(|place| place.removes == Some(index)) {
                continue;
            }
            let stirs = self.world.orphans.iter().any(|orphan| orphan.place == index);
            let wanted = match record.state {
                StepState::Done | StepState::DoneByHand if place.changes => Amount::Whole,
                StepState::Done | StepState::DoneByHand | StepState::NotRun => Amount::Nothing,
                StepState::Skipped => continue,
                other => return Err(format!("the run completed, and {} is {other}", record.id)),
            };
            if amount != wanted {
                return Err(format!(
                    "the run completed, {} is {}, the world holds {amount:?}",
                    record.id, record.state
                ));
            }
            if stirs && record.state == StepState::Done {
                return Err(format!("the run completed, and something of {} is still under way", record.id));
            }
            let skipped_silently = record.state != StepState::Done && record.state != StepState::NotRun;
            if skipped_silently && state.status == RunStatus::Completed {
                return Err(format!("{} is {}, and the run ended without an exception", record.id, record.state));
            }
        }
        Ok(())
    }

    fn aborted(&self, state: &RunState) -> Held {
        for (index, record) in state.steps.iter().enumerate() {
            let named = state.leftovers.iter().any(|line| line.contains(&format!("({})", record.id)));
            if self.world.remains(index) && !named {
                return Err(format!(
                    "the run ended {:?}, something of {} ({}) remains, and only {:?} are named",
                    state.status, record.id, record.state, state.leftovers
                ));
            }
            let human = !matches!(state.plan.steps[index].action, PlannedAction::Task(_));
            // Nobody knows how far the holder before a takeover went: what could not be looked at is named.
            if named
                && !self.taken_over
                && record.attempt == 0
                && !human
                && record.state != StepState::DoneByHand
                && !self.world.remains(index)
            {
                return Err(format!("{} never began and is named as left behind", record.id));
            }
        }
        let clean = state.status == RunStatus::AbortedClean;
        if clean == state.leftovers.is_empty() {
            Ok(())
        } else {
            Err("clean, with leftovers, or the reverse".to_owned())
        }
    }
}
