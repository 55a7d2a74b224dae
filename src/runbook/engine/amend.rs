//! What an operator may change about a run on its way, beside choosing another point: how long it may take.

use super::decide::text_of;
use crate::event::{Event, EventKind};
use crate::model::id::StepId;
use crate::model::time::Timestamp;
use crate::runbook::commit::{Amendment, Change};
use crate::runbook::plan::PlannedAction;
use crate::runbook::state::{QuestionKind, RunState};
use serde_json::Value;
use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// Longest time from now on that a decision is put off in one go.
const MAX_POSTPONED: chrono::Duration = chrono::Duration::days(30);

pub fn postponed(state: &RunState, until: Timestamp, reason: &str, now: Timestamp) -> Result<EventKind, String> {
    let provisional = state.provisional.as_ref().filter(|_| state.is_provisional());
    let Some(by) = provisional.and_then(|provisional| provisional.decide_by) else {
        return Err("no decision is waited for until a set time: there is nothing to put off".to_owned());
    };
    if until <= by.max(now) {
        return Err(format!("a decision is only put off: it is to be made by {}", by.format("%Y-%m-%d %H:%M:%S UTC")));
    }
    if until - now > MAX_POSTPONED {
        return Err(format!("a decision can be put off by at most {} days at a time", MAX_POSTPONED.num_days()));
    }
    Ok(EventKind::DecisionPostponed { until, reason: text_of(reason, "say why it is put off")? })
}

pub fn time_limit(state: &RunState, step: &StepId, limit: Duration, reason: &str) -> Result<EventKind, String> {
    let place = state.plan.steps.iter().position(|planned| &planned.id == step);
    let Some((planned, record)) = place.map(|at| (&state.plan.steps[at], &state.steps[at])) else {
        return Err("the run has no step of that name".to_owned());
    };
    if !matches!(planned.action, PlannedAction::Task(_)) {
        return Err("a person does this step: it has no time limit".to_owned());
    }
    if record.state.is_settled() {
        return Err(format!("the step is {}: its time is over", record.state));
    }
    if state.working_on(step).is_some() {
        return Err("it works: the limit of an attempt stands from its start to its end".to_owned());
    }
    if !(SHORTEST..=LONGEST).contains(&limit) {
        return Err("a time limit lies between 1s and 7d".to_owned());
    }
    Ok(EventKind::TimeLimitAmended {
        step: step.clone(),
        before: record.limit.unwrap_or(planned.timeout).as_secs(),
        after: limit.as_secs(),
        reason: text_of(reason, "say why the limit is another one")?,
    })
}

impl RunState {
    pub(super) fn amend_event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::DecisionPostponed { until, reason } => {
                let Some(provisional) = &mut self.provisional else { return };
                let before = provisional.decide_by.replace(*until);
                provisional.overdue_at = None;
                let text = |at: Timestamp| Value::from(at.format("%Y-%m-%d %H:%M:%S UTC").to_string());
                let before = before.map(text).unwrap_or_default();
                self.amend(event, reason, vec![Change { what: "decide by".to_owned(), before, after: text(*until) }]);
            }
            EventKind::TimeLimitAmended { step, before, after, reason } => {
                if let Some(record) = self.steps.iter_mut().find(|record| &record.id == step) {
                    record.limit = Some(Duration::from_secs(*after));
                }
                let span =
                    |seconds: u64| Value::from(humantime::format_duration(Duration::from_secs(seconds)).to_string());
                let what = format!("time limit of {step}");
                self.amend(event, reason, vec![Change { what, before: span(*before), after: span(*after) }]);
            }
            _ => {}
        }
    }

    /// Keeps what changed. Whoever approved, approved the run as it was.
    pub(super) fn amend(&mut self, event: &Event, why: &str, changes: Vec<Change>) {
        let (by, why) = (event.actor.clone(), why.to_owned());
        self.amendments.push(Amendment { at: event.at, by, why, changes, asked: self.asked });
        for record in &mut self.steps {
            record.approvals.clear();
            record.approved = None;
        }
    }

    /// Whether the open question asks others to approve the run as it was before an amendment.
    pub(super) fn asks_for_what_was(&self) -> bool {
        let amended = self.amendments.last().map(|amendment| amendment.asked);
        self.question.as_ref().zip(amended).is_some_and(|(question, asked)| {
            matches!(question.kind, QuestionKind::Approval { .. }) && question.number <= asked
        })
    }
}
