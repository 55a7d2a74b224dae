//! The steps whose turn it is: one in a plan without groups, several where groups let them work beside one another.
//!
//! What a person decides, what has a target, and what cannot be taken back works alone: it begins once nothing
//! else is in flight, and nothing begins beside it.

use super::advance::At;
use super::machine::Now;
use super::{prepare, settle};
use crate::event::{EventKind, Purpose};
use crate::model::task::Effect;
use crate::runbook::definition::Confirm;
use crate::runbook::group::Group;
use crate::runbook::plan::PlannedAction;
use crate::runbook::state::{RunState, StepRecord, StepState};

/// What follows for the steps whose turn it is; `None` while all of them wait for the world.
pub fn next(state: &RunState, now: Now) -> Option<EventKind> {
    if let Some(left_out) = joined(state, now) {
        return Some(left_out);
    }
    let alone = |step| state.walk(now).find(|at| &at.planned.id == step).is_none_or(|at| !at.works_beside());
    if state.working.iter().any(|working| alone(&working.step) || !overlaps(working.purpose)) {
        return None;
    }
    for at in turn(state, now).filter(|at| state.working_on(&at.planned.id).is_none()) {
        let prepared = || if state.paused.is_some() { None } else { prepare::next(at) };
        match settle::answered(at).or_else(prepared) {
            None => {}
            // Others of its group may still be enough.
            Some(EventKind::QuestionAsked { .. }) if at.record.is_at_rest() && at.others_may_join() => {}
            Some(kind) if state.is_idle() || at.fits_beside(&kind) => return Some(kind),
            // Its turn comes once nothing is in flight; until then nothing later begins.
            Some(_) => return None,
        }
    }
    None
}

/// Unsettled steps that wait for no other step, in the order of the plan.
fn turn(state: &RunState, now: Now) -> impl Iterator<Item = At<'_>> {
    let settled = |place: usize| state.steps.get(place).is_some_and(|record| record.state.is_settled());
    state.walk(now).enumerate().filter_map(move |(place, at)| {
        let open = !at.record.state.is_settled();
        (open && state.plan.waits_for(place).into_iter().all(settled) && at.has_room()).then_some(at)
    })
}

/// A group of which enough steps are done is joined: what is left of it is left out.
fn joined(state: &RunState, now: Now) -> Option<EventKind> {
    let groups = state.plan.groups.iter().filter_map(|group| Some((group, group.join?)));
    groups.filter(|(group, join)| done(state, group) >= *join as usize).find_map(|(group, join)| {
        let mut members = state.walk(now).filter(|at| at.is_of(group));
        let at = members.find(|at| !at.record.state.is_settled())?;
        let why = format!("{join} of “{}” were enough", group.title);
        Some(if at.record.is_at_rest() {
            EventKind::StepSkipped { step: at.step(), reason: why }
        } else {
            EventKind::StepNotRun { step: at.step(), why }
        })
    })
}

fn done(state: &RunState, group: &Group) -> usize {
    let done = |place: usize| matches!(state.steps[place].state, StepState::Done | StepState::DoneByHand);
    state.plan.members(group).filter(|(place, _)| done(*place)).count()
}

/// Whether another step may work while a task with this purpose is in flight.
fn overlaps(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Run | Purpose::Reconcile | Purpose::Verify | Purpose::Count)
}

impl StepRecord {
    /// It came to an end that a person decides about.
    fn is_at_rest(&self) -> bool {
        matches!(self.state, StepState::Failed | StepState::TimedOut | StepState::Unknown)
    }
}

impl At<'_> {
    fn is_of(&self, group: &Group) -> bool {
        self.planned.group.as_deref() == Some(group.id.as_str())
    }

    /// Whether it may work while others do.
    fn works_beside(&self) -> bool {
        self.planned.group.is_some()
            && matches!(self.planned.action, PlannedAction::Task(_))
            && self.planned.effect <= Effect::Costly
            && self.planned.confirm < Confirm::Phrase
            && self.planned.target.is_none()
            && self.planned.approve.is_none()
            && self.approval().is_none()
    }

    fn fits_beside(&self, kind: &EventKind) -> bool {
        let purpose = match kind {
            EventKind::TaskIntended { purpose, .. } => Some(*purpose),
            _ => None,
        };
        self.works_beside() && purpose.is_none_or(overlaps)
    }

    /// Whether its group lets one more of its steps begin.
    fn has_room(&self) -> bool {
        let Some(group) = self.state.plan.group_of(self.planned) else { return true };
        let begun = |at: &At<'_>| {
            let record = at.record;
            record.state != StepState::Pending && !record.state.is_settled() && !record.is_at_rest()
        };
        let others = self.state.walk(self.now).filter(|at| at.is_of(group) && at.planned.id != self.planned.id);
        begun(self) || others.filter(begun).count() < group.parallel as usize
    }

    /// Whether its group can still be joined without it.
    fn others_may_join(&self) -> bool {
        let Some(group) = self.state.plan.group_of(self.planned) else { return false };
        let Some(join) = group.join else { return false };
        let open = |at: &At<'_>| !at.record.state.is_settled() && !at.record.is_at_rest();
        let members = self.state.walk(self.now).filter(|at| at.is_of(group));
        done(self.state, group) + members.filter(open).count() >= join as usize
    }
}
