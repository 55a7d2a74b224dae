//! The commit point: when a run is provisional, what that means for its question, and when it alarms.

use super::advance::At;
use super::evolve::ReplayError;
use super::words;
use crate::event::{Event, EventKind};
use crate::model::time::Timestamp;
use crate::runbook::commit::{Change, Provisional, Turn, successor};
use crate::runbook::plan::{DigestMismatch, Plan, PlannedStep};
use crate::runbook::state::{RunState, StepRecord, StepState};
use serde::Deserialize as _;
use serde_json::Value;
use std::sync::Arc;

impl RunState {
    fn commit_step(&self) -> Option<(&PlannedStep, &StepRecord)> {
        self.plan.steps.iter().zip(&self.steps).find(|(planned, _)| planned.commit.is_some())
    }

    /// Recovered and not committed: everything before the commit point is settled, and the commit has not begun.
    pub fn is_provisional(&self) -> bool {
        use StepState::{AwaitingAnswer, AwaitingApproval, Blocked, Pending, Ready};
        let open =
            |record: &StepRecord| matches!(record.state, Pending | Ready | Blocked | AwaitingAnswer | AwaitingApproval);
        self.provisional.is_some()
            && self.turn.is_none()
            && self.abort.is_none()
            && !self.status.is_over()
            && self.commit_step().is_some_and(|(planned, record)| {
                open(record)
                    && self.steps.iter().take_while(|step| step.id != planned.id).all(|step| step.state.is_settled())
            })
    }

    /// Since when nothing of the run before this can be taken back by it.
    pub fn committed_at(&self) -> Option<Timestamp> {
        let (_, record) = self.commit_step()?;
        matches!(record.state, StepState::Done | StepState::DoneByHand).then_some(record.ended_at)?
    }

    /// Whether the run's commit point lies behind this step, and is passed.
    pub fn is_beyond_return(&self, step: &crate::model::id::StepId) -> bool {
        let place = |id| self.plan.steps.iter().position(|planned| &planned.id == id);
        let commit = self.commit_step().and_then(|(planned, _)| place(&planned.id));
        self.committed_at().is_some() && commit.zip(place(step)).is_some_and(|(commit, step)| step <= commit)
    }

    /// How long the decision is overdue.
    pub fn overdue(&self, now: Timestamp) -> Option<chrono::Duration> {
        let by = self.provisional.as_ref().filter(|_| self.is_provisional())?.decide_by?;
        (by <= now).then(|| now - by)
    }

    /// When time alone will change something about the run.
    pub fn due_at(&self) -> Option<Timestamp> {
        let provisional = self.provisional.as_ref().filter(|_| self.is_provisional())?;
        provisional.decide_by.filter(|_| provisional.overdue_at.is_none())
    }

    pub(super) fn commit_event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunProvisional { step, decide_by } => {
                self.provisional =
                    Some(Provisional { step: step.clone(), since: event.at, decide_by: *decide_by, overdue_at: None });
            }
            EventKind::DecisionOverdue { .. } => {
                if let Some(provisional) = &mut self.provisional {
                    provisional.overdue_at = Some(event.at);
                }
            }
            EventKind::AnotherPointChosen { back_to, reason, changes, plan, .. } => {
                let changes = changes.iter().filter_map(|change| Change::deserialize(change).ok()).collect();
                let Ok(next) = Plan::deserialize(plan) else { return };
                self.turn = Some(Turn { back_to: back_to.clone(), next: Arc::new(next) });
                self.amend(event, reason, changes);
            }
            _ => {}
        }
    }
}

/// What choosing another point leads to, or why it is refused.
pub fn another(state: &RunState, plan: &Plan, reason: &str, now: Timestamp) -> Result<EventKind, String> {
    if !state.is_provisional() {
        return Err("another point is chosen at the commit point, before it is passed; the run is not there".to_owned());
    }
    if state.paused.is_some() {
        return Err("the run is paused: resume it first".to_owned());
    }
    if !state.is_idle() {
        return Err("the target of the commit is being looked at: wait for its question".to_owned());
    }
    let changes = successor(&state.plan, plan)?;
    let Some(another) = state.commit_step().and_then(|(planned, _)| planned.commit.as_ref()?.another.as_ref()) else {
        return Err("its runbook declares no way to another point".to_owned());
    };
    let passed = |at: &At<'_>| at.planned.id != another.back_to;
    let clock = super::Now { at: now, mono_ms: 0 };
    let by_hand = |at: &At<'_>| at.record.state == StepState::DoneByHand && at.took_effect();
    let range = state.walk(clock).skip_while(passed).take_while(|at| at.planned.commit.is_none());
    if let Some(step) = range.into_iter().find(by_hand) {
        return Err(format!(
            "“{}” was done by hand, and only a person can take it back: roll back, or hold",
            step.planned.title
        ));
    }
    if !state.is_armed(now) {
        return Err("read-only: taking back changes something; arm the run first".to_owned());
    }
    Ok(EventKind::AnotherPointChosen {
        back_to: another.back_to.clone(),
        reason: super::decide::text_of(reason, "say why another point is chosen")?,
        changes: changes.iter().map(words::data).collect(),
        plan_digest: plan.digest.clone(),
        plan: serde_json::to_value(plan).unwrap_or(Value::Null),
    })
}

/// The time to decide has passed, and nothing says so yet.
pub fn overdue(state: &RunState, now: Timestamp) -> Option<EventKind> {
    let provisional = state.provisional.as_ref().filter(|provisional| provisional.overdue_at.is_none())?;
    state.overdue(now)?;
    Some(EventKind::DecisionOverdue { step: provisional.step.clone() })
}

impl At<'_> {
    /// Its turn has come, and it is the commit point.
    pub fn becomes_provisional(&self) -> Option<EventKind> {
        let commit = self.planned.commit.as_ref().filter(|_| self.state.provisional.is_none())?;
        let span = commit.decide_within.and_then(|span| chrono::Duration::from_std(span).ok());
        Some(EventKind::RunProvisional { step: self.step(), decide_by: span.map(|span| self.now.at + span) })
    }

    /// What else can be done at the commit point.
    pub fn instead_of_commit(&self) -> String {
        let Some(commit) = &self.planned.commit else { return String::new() };
        let another = commit.another.as_ref().map_or_else(String::new, |another| {
            format!(
                " In place of it, another point can be chosen ({}): everything from `{}` on is taken back and done anew.",
                another.params.join(", "),
                another.back_to
            )
        });
        format!(" An abort with undo rolls back.{another}")
    }

    /// What time alone does while the run is provisional.
    pub fn decide_by(&self) -> Option<Timestamp> {
        self.state.provisional.as_ref().filter(|provisional| provisional.step == self.planned.id)?.decide_by
    }
}

/// A plan that takes the place of another one is what its digest says.
pub fn verify(event: &Event) -> Result<(), ReplayError> {
    let EventKind::AnotherPointChosen { plan_digest, plan, .. } = &event.kind else { return Ok(()) };
    let plan = Plan::deserialize(plan).map_err(ReplayError::BadPlan)?;
    plan.verify_digest()?;
    if &plan.digest == plan_digest {
        Ok(())
    } else {
        Err(DigestMismatch { stated: plan_digest.clone(), found: plan.digest }.into())
    }
}
