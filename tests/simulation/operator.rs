//! What people do: at random, or willing to bring the run to its end.

use crate::dice::Dice;
use crate::plans::{APPROVERS, another, key};
use relight::model::amount::Amount;
use relight::model::task::Reality;
use relight::model::time::Timestamp;
use relight::runbook::approval::{ApprovalRequest, signature_text};
use relight::runbook::definition::AnswerKind;
use relight::runbook::state::Question;
use relight::runbook::{Answer, Intent, QuestionKind, RunState};
use serde_json::json;

const TEXT: &str = "because";
/// Attempts after which a willing operator gives a step up.
const PATIENCE: u32 = 20;

fn arm(until: Timestamp) -> Intent {
    Intent::Arm { reason: TEXT.to_owned(), incident: None, until }
}

/// Anything; what would be sensible is more likely than the rest.
pub fn random(dice: &mut Dice, state: &RunState, now: Timestamp) -> Intent {
    let armed_for = chrono::Duration::seconds(dice.pick(&[5, 60, 3600, 3600, 36_000]));
    if dice.percent(30)
        && let Some(intent) = willing(state, now + armed_for)
    {
        return intent;
    }
    let text = TEXT.to_owned();
    if dice.percent(if state.is_provisional() { 25 } else { 1 }) {
        let mut plan = Box::new(another(&state.plan));
        // One that nobody has shown.
        if dice.percent(10) {
            "other".clone_into(&mut plan.title);
        }
        return Intent::AnotherPoint { plan, reason: text };
    }
    if dice.percent(3) {
        let step = state.plan.steps[dice.below(state.plan.steps.len())].id.clone();
        if dice.percent(40) {
            let limit = Amount { objects: Some(dice.pick(&[1, 10, 100])), bytes: None };
            return Intent::LimitAmount { step, limit, reason: text };
        }
        let limit = std::time::Duration::from_secs(dice.pick(&[1, 60, 6000]));
        return Intent::LimitTime { step, limit, reason: text };
    }
    if dice.percent(if state.is_provisional() { 10 } else { 1 }) {
        return Intent::Postpone { until: now + armed_for, reason: text };
    }
    match dice.below(20) {
        0 => Intent::Start { plan_digest: state.plan.digest.clone() },
        1 => Intent::Start { plan_digest: "0".repeat(64) },
        2..5 => arm(now + armed_for),
        5 => Intent::Disarm,
        6 => Intent::Pause { reason: text },
        7 | 8 => Intent::Resume,
        9 if dice.percent(30) => Intent::Abort { reason: text, undo: dice.percent(70) },
        10 => Intent::Note { text },
        11 if dice.percent(30) => Intent::Relieve { reason: text },
        _ => {
            let stale = dice.percent(15);
            let number = state.question.as_ref().map_or(state.asked, |question| question.number);
            let question = if stale { number.saturating_sub(1) } else { number };
            Intent::Answer { question, answer: answer(dice, state) }
        }
    }
}

fn answer(dice: &mut Dice, state: &RunState) -> Answer {
    let text = TEXT.to_owned();
    match (state.question.as_ref().map(|question| &question.kind), dice.below(10)) {
        (_, 0) => Answer::No,
        (_, 1) => Answer::Skip { reason: text },
        (_, 2) => Answer::LookAgain,
        (Some(QuestionKind::Key), _) => Answer::Yes,
        (Some(QuestionKind::Approval { request, .. }), 3..) => any_approval(dice, request),
        (Some(QuestionKind::Proof { .. }), 3..7) => Answer::Retry,
        (Some(QuestionKind::Phrase { phrase } | QuestionKind::Proof { phrase: Some(phrase), .. }), 3..9) => {
            Answer::Phrase { text: phrase.clone() }
        }
        (Some(QuestionKind::Phrase { .. }), _) => Answer::Phrase { text },
        (Some(QuestionKind::Answer { answer, .. }), _) => value(*answer),
        (Some(QuestionKind::Attest { .. }), _) => Answer::Value { value: json!(text) },
        (Some(QuestionKind::Failed { .. }), 3..6) => Answer::Retry,
        (Some(QuestionKind::Failed { .. }), 6..8) => Answer::Undo,
        (Some(QuestionKind::Failed { .. }), 8) => Answer::DoneByHand { evidence: text },
        (Some(QuestionKind::Unknown), 8) => Answer::DoneByHand { evidence: text },
        (Some(QuestionKind::Drift), 3..8) => Answer::AcceptDrift { reason: text },
        (Some(QuestionKind::Failed { .. } | QuestionKind::Unknown), _) => Answer::LookAgain,
        (_, 3) => Answer::Retry,
        (_, 4) => Answer::Undo,
        (_, 5) => Answer::DoneByHand { evidence: text },
        _ => Answer::Yes,
    }
}

/// Somebody whose word counts and who has not given it yet.
fn next_approver(state: &RunState, question: &Question) -> Option<&'static str> {
    let record = state.step(&question.step)?;
    let given = |name: &str| record.approvals.iter().any(|given| given.name == name);
    APPROVERS.into_iter().find(|name| !given(name) && !state.hands.iter().any(|hand| hand == name))
}

fn signed(name: &str, by: &str, request: &ApprovalRequest) -> Answer {
    let signature = signature_text(&key(by).sign(request.text().as_bytes()));
    Answer::Approve { approver: name.to_owned(), signature }
}

/// Mostly a good one; else with a foreign key, or over another plan, loss, question or time.
fn any_approval(dice: &mut Dice, request: &ApprovalRequest) -> Answer {
    let name = dice.pick(&APPROVERS);
    let mut request = request.clone();
    match dice.below(10) {
        0 => return signed(name, dice.pick(&APPROVERS), &request),
        1 => request.plan = "0".repeat(64),
        2 => "nothing".clone_into(&mut request.loss),
        3 => request.question -= 1,
        4 => request.expires += chrono::Duration::hours(1),
        _ => {}
    }
    signed(name, name, &request)
}

fn value(kind: AnswerKind) -> Answer {
    match kind {
        AnswerKind::YesNo => Answer::Yes,
        AnswerKind::Text => Answer::Value { value: json!("text") },
        AnswerKind::Integer => Answer::Value { value: json!(12) },
    }
}

/// What brings the run on; `None` where it does not wait for anyone.
pub fn willing(state: &RunState, armed_until: Timestamp) -> Option<Intent> {
    let text = TEXT.to_owned();
    let Some(question) = &state.question else {
        return if state.started_at.is_none() && state.abort.is_none() {
            Some(Intent::Start { plan_digest: state.plan.digest.clone() })
        } else {
            state.paused.as_ref().map(|_| Intent::Resume)
        };
    };
    let tries = state.step(&question.step).map_or(0, |step| step.attempt);
    let answer = match &question.kind {
        QuestionKind::Key => Answer::Yes,
        QuestionKind::Phrase { phrase } => Answer::Phrase { text: phrase.clone() },
        QuestionKind::Answer { answer, .. } => value(*answer),
        QuestionKind::Attest { .. } => Answer::Value { value: json!(text) },
        // What a skipped clean-up left will not go by itself.
        QuestionKind::Failed { may_retry: true, .. } if tries < PATIENCE => Answer::Retry,
        QuestionKind::Failed { may_undo: true, .. } if state.is_armed(state.last_at) => Answer::Undo,
        QuestionKind::Failed { may_skip: true, .. } => Answer::Skip { reason: text },
        QuestionKind::Failed { .. } => Answer::DoneByHand { evidence: text },
        QuestionKind::Unknown => Answer::LookAgain,
        QuestionKind::Limit { counted, .. } => {
            return Some(Intent::LimitAmount { step: question.step.clone(), limit: *counted, reason: text });
        }
        QuestionKind::Drift => Answer::AcceptDrift { reason: text },
        QuestionKind::Proof { phrase: Some(phrase), .. } => Answer::Phrase { text: phrase.clone() },
        // Where half of it is there, sending for it again leads back here.
        QuestionKind::Proof { from: Some(from), .. }
            if !matches!(state.step(from).and_then(|step| step.reality.as_ref()), Some(Reality::Partial(_))) =>
        {
            Answer::Retry
        }
        QuestionKind::Approval { request, .. } => match next_approver(state, question) {
            Some(name) => signed(name, name, request),
            None => return Some(Intent::Abort { reason: text, undo: true }),
        },
        QuestionKind::Proof { .. } => return Some(Intent::Abort { reason: text, undo: true }),
        QuestionKind::Arm => return Some(arm(armed_until)),
    };
    Some(Intent::Answer { question: question.number, answer })
}
