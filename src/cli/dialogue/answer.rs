//! A typed line as what the operator means by it.

use super::talk::Options;
use crate::model::amount::Amount;
use crate::model::time::Timestamp;
use crate::runbook::{Answer, AnswerKind, Intent, Question, QuestionKind, RunState, RunStatus};
use serde_json::Value;

#[derive(Debug, PartialEq)]
pub enum Said {
    Intent(Intent),
    Detach,
    /// Show again what can be answered.
    Help,
    /// Nothing was sent; this says why.
    Unclear(String),
}

/// What a line means where the run stands now. Reasons may be empty: the runner refuses those, and says so.
pub fn understand(line: &str, state: &RunState, options: &Options, now: Timestamp) -> Said {
    let question = state.question.as_ref();
    if let Some(Question {
        number,
        kind: QuestionKind::Phrase { phrase } | QuestionKind::Proof { phrase: Some(phrase), .. },
        ..
    }) = question
        && line == phrase
    {
        return answer(*number, Answer::Phrase { text: line.to_owned() });
    }
    let (word, rest) = line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()));
    let reason = rest.to_owned();
    match word {
        "" | "help" | "?" => return Said::Help,
        "detach" if rest.is_empty() => return Said::Detach,
        "abort" => return Said::Intent(Intent::Abort { reason, undo: false }),
        "abort-undo" => return Said::Intent(Intent::Abort { reason, undo: true }),
        "pause" => return Said::Intent(Intent::Pause { reason }),
        "resume" if rest.is_empty() => return Said::Intent(Intent::Resume),
        "disarm" if rest.is_empty() => return Said::Intent(Intent::Disarm),
        "note" => return Said::Intent(Intent::Note { text: reason }),
        "arm" => {
            let incident = options.incident.clone();
            return Said::Intent(Intent::Arm { reason, incident, until: now + options.arm_for });
        }
        _ => {}
    }
    match question {
        Some(question) => to_question(question, line, word, reason),
        None if state.status == RunStatus::Ready && matches!(line, "yes" | "start") => {
            Said::Intent(Intent::Start { plan_digest: state.plan.digest.clone() })
        }
        None => Said::Unclear("no question is open: nothing was sent".to_owned()),
    }
}

fn answer(question: u64, answer: Answer) -> Said {
    Said::Intent(Intent::Answer { question, answer })
}

fn to_question(question: &Question, line: &str, word: &str, rest: String) -> Said {
    use QuestionKind::{Approval, Arm, Attest, Drift, Failed, Key, Limit, Phrase, Proof, Unknown};
    let said = match (word, &question.kind) {
        ("skip", _) => Answer::Skip { reason: rest },
        ("by-hand", Failed { .. } | Unknown | Attest { .. }) => Answer::DoneByHand { evidence: rest },
        ("retry", Failed { .. } | Unknown | Proof { .. }) if rest.is_empty() => Answer::Retry,
        ("undo", Failed { .. }) if rest.is_empty() => Answer::Undo,
        ("raise", Limit { .. }) => return raise(question, &rest),
        ("look", Failed { .. } | Unknown | Drift | Limit { .. }) if rest.is_empty() => Answer::LookAgain,
        ("approve", Approval { .. }) => {
            let (name, signature) = rest.split_once(char::is_whitespace).unwrap_or((rest.as_str(), ""));
            Answer::Approve { approver: name.to_owned(), signature: signature.trim().to_owned() }
        }
        ("accept", Drift) => Answer::AcceptDrift { reason: rest },
        ("yes", Key | QuestionKind::Answer { answer: AnswerKind::YesNo, .. }) if rest.is_empty() => Answer::Yes,
        ("no", Failed { .. } | Unknown | Arm) if rest.is_empty() => {
            return Said::Unclear("this question has no plain no: choose one of its ways, or abort".to_owned());
        }
        ("no", _) if rest.is_empty() => Answer::No,
        ("yes", Attest { .. }) if rest.is_empty() => {
            return Said::Unclear("a yes is no evidence: write what you did and what you saw".to_owned());
        }
        ("answer", QuestionKind::Answer { answer, .. }) => value(*answer, &rest),
        (_, QuestionKind::Answer { answer, .. }) => value(*answer, line),
        // What was typed at such a question is evidence, so the runner refuses it and keeps it.
        (_, Phrase { .. } | Proof { phrase: Some(_), .. }) => Answer::Phrase { text: line.to_owned() },
        (_, Attest { .. }) => Answer::Value { value: Value::String(line.to_owned()) },
        (_, Key | Failed { .. } | Unknown | Drift | Limit { .. } | Arm | Proof { .. } | Approval { .. }) => {
            return Said::Unclear("that is none of the answers: nothing was sent".to_owned());
        }
    };
    answer(question.number, said)
}

/// `2000objects WHY`: another limit of the step that the question is about.
fn raise(question: &Question, rest: &str) -> Said {
    let (amount, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match amount.parse::<Amount>() {
        Ok(limit) => {
            let (step, reason) = (question.step.clone(), reason.trim().to_owned());
            Said::Intent(Intent::LimitAmount { step, limit, reason })
        }
        Err(error) => Said::Unclear(format!("{error}: nothing was sent")),
    }
}

fn value(kind: AnswerKind, text: &str) -> Answer {
    let number = if kind == AnswerKind::Integer { text.parse::<i64>().ok() } else { None };
    Answer::Value { value: number.map_or_else(|| Value::String(text.to_owned()), Value::from) }
}
