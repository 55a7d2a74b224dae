//! The most that a step may touch: its module counts that before it begins, and here the two are compared.

use super::advance::At;
use super::decide::text_of;
use super::machine::Now;
use super::{ask, prepare};
use crate::event::{Event, EventKind, Purpose};
use crate::model::amount::Amount;
use crate::model::id::StepId;
use crate::model::task::{Failure, TaskOutcome};
use crate::runbook::commit::Change;
use crate::runbook::state::{Counted, Exception, QuestionKind, RunState};
use serde::Deserialize as _;
use serde_json::Value;

impl At<'_> {
    /// The limit in force.
    pub fn limit(&self) -> Option<Amount> {
        Some(self.record.allowed.unwrap_or(self.planned.limit?))
    }

    /// What was counted, as long as that speaks of now.
    fn counted(&self) -> Option<Amount> {
        self.record.notes.counted.filter(|counted| self.is_now(counted.at)).map(|counted| counted.amount)
    }

    /// What the question about the step says of its size.
    pub fn touches(&self) -> String {
        match (self.limit(), self.record.notes.counted) {
            (Some(limit), Some(Counted { amount, .. })) => {
                format!(" It touches {amount}, as counted just now; its limit is {limit}.")
            }
            _ => String::new(),
        }
    }
}

/// What a step with a limit still needs before it may begin: a count that is not old, and one that keeps to it.
pub fn exceeded(at: At<'_>) -> Option<EventKind> {
    let limit = at.limit()?;
    let Some(counted) = at.counted() else { return at.intend(Purpose::Count) };
    let over = counted.over(&limit);
    if over.is_empty() {
        return None;
    }
    let why = format!("it would touch {}", over.join("; "));
    Some(prepare::blocked_then(at, why, || ask::limit(at, counted, limit)))
}

/// The end of the count. Nothing to touch is no success: the selection is not what its author meant.
pub fn ended(at: At<'_>, outcome: &TaskOutcome) -> EventKind {
    if at.state.abort.is_some() {
        return EventKind::StepCancelled { step: at.step(), why: "the run was aborted before it began".to_owned() };
    }
    let uncounted = |why: &str| at.failed(format!("what it would touch could not be counted: {why}"));
    let counted = match outcome {
        TaskOutcome::Done { output } => Amount::deserialize(&Value::Object(output.clone())),
        TaskOutcome::Failed { failure: Failure { what, .. } }
        | TaskOutcome::Unknown { failure: Failure { what, .. } } => {
            return uncounted(what);
        }
        TaskOutcome::Cancelled { .. } => return uncounted("the count took too long"),
    };
    let limit = at.limit().unwrap_or_default();
    match counted {
        Err(error) => uncounted(&error.to_string()),
        Ok(counted) if limit.objects.is_some_and(|_| counted.objects.is_none()) => uncounted("no objects were counted"),
        Ok(counted) if limit.bytes.is_some_and(|_| counted.bytes.is_none()) => uncounted("no bytes were counted"),
        Ok(Amount { objects: Some(0), .. }) => at.failed("there is nothing for it to work on: its selection is empty"),
        Ok(counted) => EventKind::AmountCounted { step: at.step(), counted },
    }
}

pub fn amended(state: &RunState, step: &StepId, wanted: Amount, reason: &str) -> Result<EventKind, String> {
    let place = state.plan.steps.iter().position(|planned| &planned.id == step);
    let Some((planned, record)) = place.map(|at| (&state.plan.steps[at], &state.steps[at])) else {
        return Err("the run has no step of that name".to_owned());
    };
    let Some(limit) = planned.limit else {
        return Err("the runbook sets no limit to what this step touches".to_owned());
    };
    if record.state.is_settled() {
        return Err(format!("the step is {}: its limit says nothing any more", record.state));
    }
    if state.working_on(step).is_some() {
        return Err("it works: what it may touch stands from its start to its end".to_owned());
    }
    if wanted.is_empty() || wanted.objects == Some(0) || wanted.bytes == Some(0) {
        return Err("say how much it may touch: at least one object, or one byte".to_owned());
    }
    let foreign =
        wanted.objects.is_some() && limit.objects.is_none() || wanted.bytes.is_some() && limit.bytes.is_none();
    if foreign {
        return Err(format!("the runbook limits it to {limit}: only that can be another figure"));
    }
    let before = record.allowed.unwrap_or(limit);
    let (step, after) = (step.clone(), before.with(wanted));
    Ok(EventKind::LimitAmended { step, before, after, reason: text_of(reason, "say why it may touch that much")? })
}

impl RunState {
    /// A limit that was raised is a guard that was set aside: the run ends with that exception.
    pub(super) fn limit_event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::LimitAmended { step, before, after, reason } => {
                let Some(record) = self.steps.iter_mut().find(|record| &record.id == step) else { return };
                record.allowed = Some(*after);
                if !after.over(before).is_empty() {
                    let text = format!("limit raised from {before} to {after}: {reason}");
                    self.exceptions.push(Exception { step: step.clone(), at: event.at, by: event.actor.clone(), text });
                }
                let text = |amount: &Amount| Value::from(amount.to_string());
                let what = format!("limit of {step}");
                self.amend(event, reason, vec![Change { what, before: text(before), after: text(after) }]);
            }
            EventKind::AmountCounted { step, counted } => {
                let Some(record) = self.steps.iter_mut().find(|record| &record.id == step) else { return };
                let ended = record.notes.ended.take();
                let moment = Now { at: event.at, mono_ms: event.mono_ms };
                // What an earlier runner counted is of its time.
                let fresh = ended.as_ref().is_none_or(|ended| !ended.earlier);
                let at = ended.map_or(moment, |ended| ended.at);
                record.notes.counted = fresh.then_some(Counted { amount: *counted, at });
            }
            _ => {}
        }
    }

    /// Whether the open question is about a limit that is another one by now.
    pub(super) fn asks_for_old_limit(&self) -> bool {
        let Some(question) = &self.question else { return false };
        let QuestionKind::Limit { limit, .. } = &question.kind else { return false };
        let allowed = self.step(&question.step).and_then(|record| record.allowed);
        allowed.or(self.plan.step(&question.step).and_then(|planned| planned.limit)) != Some(*limit)
    }
}
