//! What follows from a state alone: the next event, or none while the run waits for the world.

use super::machine::Now;
use super::{abort, approval, commit, debt, frontier, lease, settle, turn, words};
use crate::event::EventKind;
use crate::runbook::plan::PlannedStep;
use crate::runbook::state::{QuestionKind, RunState, RunStatus, StepRecord};

/// A step with its part of the plan.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub state: &'a RunState,
    pub planned: &'a PlannedStep,
    pub record: &'a StepRecord,
    pub now: Now,
}

impl RunState {
    /// Steps with their part of the plan, in order.
    pub(super) fn walk(&self, now: Now) -> impl DoubleEndedIterator<Item = At<'_>> {
        self.plan.steps.iter().zip(&self.steps).map(move |(planned, record)| At { state: self, planned, record, now })
    }
}

pub fn next(state: &RunState, now: Now) -> Option<EventKind> {
    if state.status.is_over() || state.fenced_off().is_some() {
        return None;
    }
    let following = || following(state, now).filter(|next| !lease::holds_back(state, next));
    debt::settled(state).or_else(|| following().map(|kind| debt::owed_first(state, kind)))
}

fn following(state: &RunState, now: Now) -> Option<EventKind> {
    if let Some(alarm) = commit::overdue(state, now.at) {
        return Some(alarm);
    }
    if let Some(ended) = ended(state, now) {
        return Some(ended);
    }
    if let Some(question) = &state.question {
        let why = if let Some(abort) = &state.abort {
            format!("the run is being aborted: {}", abort.reason)
        } else if let Some(cause) = &state.paused {
            format!("the run was paused: {cause}")
        } else if state.step(&question.step).is_some_and(|record| record.notes.unseen) {
            "the run was taken over: the step is looked at first".to_owned()
        } else if question.kind == QuestionKind::Arm && state.is_armed(now.at) {
            "the run is armed now".to_owned()
        } else if state.turns_from(&question.step) {
            "another point was chosen".to_owned()
        } else if state.asks_for_old_limit() {
            "its limit is another one now".to_owned()
        } else if state.asks_for_what_was() {
            "the run was amended since".to_owned()
        } else if state.asks_for_another() {
            "the run has another operator now".to_owned()
        } else if approval::ran_out(question, now.at) {
            "the time for this approval has passed".to_owned()
        } else {
            return None;
        };
        return Some(EventKind::QuestionWithdrawn { number: question.number, why });
    }
    if state.abort.is_some() {
        return state.is_idle().then(|| abort::next(state, now));
    }
    state.started_at?;
    if let Some(turn) = &state.turn {
        return if state.is_idle() { turn::next(state, turn, now) } else { None };
    }
    if state.steps.iter().all(|record| record.state.is_settled()) {
        return Some(end(state));
    }
    frontier::next(state, now)
}

/// What the end of a task leads to, whatever else the run waits for.
fn ended(state: &RunState, now: Now) -> Option<EventKind> {
    if state.started_at.is_some() || state.abort.is_some() { state.walk(now).find_map(settle::ended) } else { None }
}

fn end(state: &RunState) -> EventKind {
    let status = if state.exceptions.is_empty() { RunStatus::Completed } else { RunStatus::CompletedWithExceptions };
    EventKind::RunEnded { status: words::data(&status), leftovers: Vec::new() }
}
