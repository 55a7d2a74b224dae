//! Inputs into first events, or a refusal that says why.

use super::machine::Input;
use super::words;
use super::{amend, answer, approval, commit, handover, lease, limit};
use crate::event::{EventKind, Purpose};
use crate::model::actor::Actor;
use crate::model::id::StepId;
use crate::model::time::Timestamp;
use crate::runbook::intent::{Answer, Intent};
use crate::runbook::state::{End, Question, QuestionKind, RunState, Working};

/// Longest span for which a run can be armed in one go.
const MAX_ARMED: chrono::Duration = chrono::Duration::hours(12);
const MAX_TEXT: usize = answer::MAX_TEXT;

#[derive(Default)]
pub struct First {
    pub events: Vec<EventKind>,
    pub refused: Option<String>,
}

impl First {
    fn one(kind: EventKind) -> Self {
        Self { events: vec![kind], refused: None }
    }
    fn of(wished: Result<EventKind, String>) -> Self {
        wished.map_or_else(Self::refused, Self::one)
    }
    fn refused(why: impl Into<String>) -> Self {
        Self { events: Vec::new(), refused: Some(why.into()) }
    }
}

pub fn decide(state: &RunState, input: &Input, now: Timestamp) -> First {
    match input {
        Input::Intent { actor, intent } => wish(state, actor, intent, now),
        Input::TaskEnded { step, attempt, purpose, end } if in_flight(state, step, *attempt, *purpose) => {
            First::one(end_event(step, *attempt, *purpose, end))
        }
        Input::Deadline { step, attempt, purpose } if in_flight(state, step, *attempt, *purpose) => {
            First::one(EventKind::DeadlinePassed { step: step.clone(), attempt: *attempt, purpose: *purpose })
        }
        Input::StopMet { step, attempt, why } if may_stop(state, step, *attempt) => {
            First::one(EventKind::StopMet { step: step.clone(), attempt: *attempt, why: why.clone() })
        }
        Input::Recovered { pid, version } => recovered(state, *pid, version),
        Input::Leased { epoch, scopes, place } => leased(state, *epoch, scopes, place),
        Input::TakenOver { epoch, scopes, place, from, .. } => First::one(EventKind::LeaseAcquired {
            epoch: *epoch,
            scopes: scopes.clone(),
            place: place.clone(),
            taken_from: Some(from.clone()),
        }),
        Input::LeaseLapsed { why } if state.lease.as_ref().is_some_and(|l| l.lapsed.is_none() && l.lost.is_none()) => {
            First::one(EventKind::LeaseLapsed { why: why.clone() })
        }
        Input::LeaseLost { why } if state.lease.as_ref().is_some_and(|lease| lease.lost.is_none()) => {
            First::one(EventKind::LeaseLost { why: why.clone() })
        }
        Input::Stopping { why } => First::one(EventKind::RunnerStopped { why: why.clone() }),
        Input::TaskEnded { .. }
        | Input::Deadline { .. }
        | Input::StopMet { .. }
        | Input::LeaseLapsed { .. }
        | Input::LeaseLost { .. }
        | Input::Continue => First::default(),
    }
}

fn in_flight(state: &RunState, step: &StepId, attempt: u32, purpose: Purpose) -> bool {
    state.working_on(step).is_some_and(|w| w.attempt == attempt && w.purpose == purpose)
}

/// Only the first condition counts.
fn may_stop(state: &RunState, step: &StepId, attempt: u32) -> bool {
    in_flight(state, step, attempt, Purpose::Run) && state.step(step).is_some_and(|r| r.notes.stopped.is_none())
}

fn end_event(step: &StepId, attempt: u32, purpose: Purpose, end: &End) -> EventKind {
    let step = step.clone();
    match end {
        End::Task(outcome) => EventKind::TaskEnded { step, attempt, purpose, outcome: outcome.clone() },
        End::Look(reality) => EventKind::Reconciled { step, attempt, purpose, reality: reality.clone() },
    }
}

fn recovered(state: &RunState, pid: u32, version: &str) -> First {
    let resumed = state.seq > 1;
    let mut events = vec![EventKind::RunnerStarted { pid, resumed, version: version.to_owned() }];
    let cut_off =
        |working: &Working| EventKind::StepInterrupted { step: working.step.clone(), purpose: working.purpose };
    events.extend(state.working.iter().map(cut_off));
    First { events, refused: None }
}

fn leased(state: &RunState, epoch: u64, scopes: &[String], place: &str) -> First {
    match &state.lease {
        Some(lease) if lease.lost.is_some() => First::default(),
        Some(lease) if lease.epoch == epoch && lease.lapsed.is_some() => First::one(EventKind::LeaseRenewed),
        Some(lease) if lease.epoch == epoch => First::default(),
        _ => First::one(EventKind::LeaseAcquired {
            epoch,
            scopes: scopes.to_vec(),
            place: place.to_owned(),
            taken_from: None,
        }),
    }
}

fn wish(state: &RunState, actor: &Actor, intent: &Intent, now: Timestamp) -> First {
    if let Some(why) = lease::forbids(state, intent).or_else(|| handover::forbids(state, actor, intent)) {
        return First::refused(why);
    }
    if let Intent::Note { text } = intent {
        return First::of(text_of(text, "write a remark").map(|text| EventKind::NoteAdded { text }));
    }
    if state.status.is_over() {
        return First::refused(format!("the run is over: {}", state.status.word()));
    }
    match intent {
        Intent::Answer { question, answer } => answered(state, *question, answer, now),
        Intent::Abort { reason, undo } => abort(state, reason, *undo),
        Intent::OfferHandover { .. }
        | Intent::WithdrawHandover
        | Intent::TakeHandover { .. }
        | Intent::Relieve { .. } => First::of(handover::wish(state, actor, intent)),
        _ if state.abort.is_some() => First::refused("the run is being aborted"),
        Intent::Start { plan_digest } => start(state, plan_digest),
        Intent::Arm { reason, incident, until } => arm(reason, incident.as_deref(), *until, now),
        Intent::AnotherPoint { plan, reason } => First::of(commit::another(state, plan, reason, now)),
        Intent::Postpone { until, reason } => First::of(amend::postponed(state, *until, reason, now)),
        Intent::LimitTime { step, limit, reason } => First::of(amend::time_limit(state, step, *limit, reason)),
        Intent::LimitAmount { step, limit: wanted, reason } => First::of(limit::amended(state, step, *wanted, reason)),
        Intent::Disarm if state.armed.is_none() => First::refused("the run is read-only already"),
        Intent::Disarm => First::one(EventKind::Disarmed { why: "the operator disarmed it".to_owned() }),
        Intent::Pause { .. } if state.started_at.is_none() => First::refused("the run has not begun"),
        Intent::Pause { .. } if state.paused.is_some() => First::refused("the run is paused already"),
        Intent::Pause { reason } => match text_of(reason, "say why the run should pause") {
            Ok(cause) => First::one(EventKind::Paused { cause }),
            Err(why) => First::refused(why),
        },
        Intent::Resume if state.paused.is_none() => First::refused("the run is not paused"),
        Intent::Resume => First::one(EventKind::Resumed),
        Intent::Note { .. } => First::default(),
    }
}

pub(super) fn text_of(text: &str, wish: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err(format!("{wish}: it is kept in the journal"))
    } else if text.len() > MAX_TEXT {
        Err(format!("the text is longer than {MAX_TEXT} bytes"))
    } else {
        Ok(text.to_owned())
    }
}

fn start(state: &RunState, plan_digest: &str) -> First {
    if plan_digest != state.plan.digest {
        return First::refused(format!(
            "the plan that you saw ({}) is not the plan of this run ({}); look at this one first",
            plan_digest.chars().take(12).collect::<String>(),
            state.plan.digest.chars().take(12).collect::<String>(),
        ));
    }
    match (state.started_at, &state.paused) {
        (None, _) => First::one(EventKind::RunStarted),
        (Some(_), Some(_)) => First::one(EventKind::Resumed),
        (Some(_), None) => First::refused("the run has begun already"),
    }
}

fn arm(reason: &str, incident: Option<&str>, until: Timestamp, now: Timestamp) -> First {
    if until <= now {
        return First::refused("the end of the armed time is in the past");
    }
    if until - now > MAX_ARMED {
        return First::refused(format!("a run can be armed for at most {} hours at a time", MAX_ARMED.num_hours()));
    }
    let incident = incident.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    if incident.as_ref().is_some_and(|text| text.len() > MAX_TEXT) {
        return First::refused("the incident id is too long");
    }
    match text_of(reason, "say why the run is armed") {
        Ok(reason) => First::one(EventKind::Armed { reason, incident, until }),
        Err(why) => First::refused(why),
    }
}

fn abort(state: &RunState, reason: &str, undo: bool) -> First {
    if state.abort.is_some() {
        return First::refused("the run is being aborted already");
    }
    match text_of(reason, "say why the run is aborted") {
        Ok(reason) => First::one(EventKind::AbortRequested { reason, undo }),
        Err(why) => First::refused(why),
    }
}

/// A signature that counts is an event of its own; one that does not is kept as a refused answer.
fn approved(state: &RunState, question: &Question, name: &str, signature: &str, now: Timestamp) -> First {
    const LONGEST: usize = 256;
    if name.len() > LONGEST || signature.len() > LONGEST {
        return First::refused("that is no approver's name and signature: it is too long");
    }
    let (step, number) = (question.step.clone(), question.number);
    match (approval::check(state, question, name, signature, now), &question.kind) {
        (Ok(approver), QuestionKind::Approval { request, .. }) => First::one(EventKind::ApprovalGiven {
            step,
            number,
            approver: approver.name,
            request: request.digest(),
            signature: signature.to_owned(),
        }),
        (checked, _) => {
            let why = checked.err().unwrap_or_else(|| "this question asks for no approval".to_owned());
            let answer = words::data(&Answer::Approve { approver: name.to_owned(), signature: signature.to_owned() });
            let event = EventKind::Answered { step, number, answer, refused: Some(why.clone()) };
            First { events: vec![event], refused: Some(why) }
        }
    }
}

/// An answer is recorded even when it is refused: what was typed at a destructive question is evidence.
fn answered(state: &RunState, number: u64, answer: &Answer, now: Timestamp) -> First {
    let Some(question) = &state.question else {
        return First::refused(format!("question {number} no longer stands; no question is open"));
    };
    if let (true, Answer::Approve { approver, signature }) = (question.number == number, answer) {
        return approved(state, question, approver, signature, now);
    }
    let refused = if question.number == number {
        let skip = state.plan.step(&question.step).map(|planned| planned.skip).unwrap_or_default();
        let read_only = answer == &Answer::Undo && !state.is_armed(now);
        answer::check(question, skip, answer)
            .err()
            .or_else(|| read_only.then(|| "read-only: taking back changes something; arm the run first".to_owned()))
    } else {
        Some(format!("question {number} no longer stands; the open one is {}", question.number))
    };
    let step = question.step.clone();
    let event = EventKind::Answered { step, number, answer: words::data(answer), refused: refused.clone() };
    First { events: vec![event], refused }
}
