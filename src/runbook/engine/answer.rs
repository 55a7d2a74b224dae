//! Which answers a question takes.

use crate::runbook::definition::{AnswerKind, SkipRule};
use crate::runbook::intent::Answer;
use crate::runbook::state::{Question, QuestionKind};

/// Longest text of an answer, in bytes.
pub const MAX_TEXT: usize = 16 * 1024;

/// `Err` says why the answer is refused, and what would be taken.
pub fn check(question: &Question, skip: SkipRule, answer: &Answer) -> Result<(), String> {
    match answer {
        Answer::Skip { reason } => return check_skip(question, skip, reason),
        Answer::DoneByHand { evidence } => written(evidence, "say what you did and what you saw")?,
        Answer::AcceptDrift { reason } => written(reason, "give a reason")?,
        _ => {}
    }
    match (&question.kind, answer) {
        (QuestionKind::Key, Answer::Yes | Answer::No)
        | (
            QuestionKind::Phrase { .. }
            | QuestionKind::Attest { .. }
            | QuestionKind::Drift
            | QuestionKind::Limit { .. }
            | QuestionKind::Proof { .. }
            | QuestionKind::Approval { .. },
            Answer::No,
        )
        | (QuestionKind::Drift, Answer::AcceptDrift { .. } | Answer::LookAgain)
        | (QuestionKind::Attest { .. }, Answer::DoneByHand { .. })
        | (QuestionKind::Failed { may_retry: true, .. } | QuestionKind::Proof { from: Some(_), .. }, Answer::Retry)
        | (QuestionKind::Failed { may_undo: true, .. }, Answer::Undo)
        | (QuestionKind::Limit { .. } | QuestionKind::Failed { may_look: true, .. }, Answer::LookAgain)
        | (QuestionKind::Failed { .. }, Answer::DoneByHand { .. })
        | (QuestionKind::Unknown, Answer::DoneByHand { .. } | Answer::LookAgain) => Ok(()),
        (
            QuestionKind::Phrase { phrase } | QuestionKind::Proof { phrase: Some(phrase), .. },
            Answer::Phrase { text },
        ) if text.trim() == phrase => Ok(()),
        (QuestionKind::Proof { phrase: None, .. }, Answer::Phrase { .. }) => {
            Err("the runbook allows no declaration in place of this proof".to_owned())
        }
        (QuestionKind::Proof { from: None, .. }, Answer::Retry) => {
            Err("no earlier step can be run again for this proof".to_owned())
        }
        (QuestionKind::Phrase { .. } | QuestionKind::Proof { .. }, Answer::Phrase { .. }) => {
            Err("the phrase does not match; nothing was started".to_owned())
        }
        (QuestionKind::Answer { answer: kind, .. }, answer) => check_value(*kind, answer),
        (QuestionKind::Attest { .. }, Answer::Value { value }) => {
            written(value.as_str().unwrap_or_default(), "write what you did and what you saw")
        }
        (QuestionKind::Failed { may_retry: false, .. }, Answer::Retry) => {
            Err("it may not be run again: what the last attempt left is not known to be nothing".to_owned())
        }
        (QuestionKind::Unknown, Answer::Retry) => {
            Err("nobody knows whether it took effect: look again first, it is never simply retried".to_owned())
        }
        (kind, _) => Err(format!("that does not answer this question; {}", wanted(kind))),
    }
}

fn check_skip(question: &Question, skip: SkipRule, reason: &str) -> Result<(), String> {
    if question.kind == QuestionKind::Unknown {
        return Err("a step that may have taken effect cannot be skipped: look again first".to_owned());
    }
    match skip {
        SkipRule::Forbidden => Err("the runbook does not allow to skip this step".to_owned()),
        SkipRule::WithReason => written(reason, "give a reason for skipping"),
    }
}

fn written(text: &str, wish: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        Err(format!("{wish}: it is kept in the journal"))
    } else if text.len() > MAX_TEXT {
        Err(format!("the text is longer than {MAX_TEXT} bytes"))
    } else {
        Ok(())
    }
}

fn check_value(kind: AnswerKind, answer: &Answer) -> Result<(), String> {
    match (kind, answer) {
        (AnswerKind::YesNo, Answer::Yes) | (_, Answer::No) => Ok(()),
        (AnswerKind::Integer, Answer::Value { value }) if value.is_i64() => Ok(()),
        (AnswerKind::Text, Answer::Value { value }) => written(value.as_str().unwrap_or_default(), "write your answer"),
        (AnswerKind::YesNo, _) => Err("answer yes or no".to_owned()),
        (AnswerKind::Integer, _) => Err("answer with a whole number".to_owned()),
        (AnswerKind::Text, _) => Err("answer with a text".to_owned()),
    }
}

fn wanted(kind: &QuestionKind) -> &'static str {
    match kind {
        QuestionKind::Key => "yes or no",
        QuestionKind::Phrase { .. } => "type the phrase, or no",
        QuestionKind::Answer { .. } => "a value of the asked kind",
        QuestionKind::Attest { .. } => "a note of what you did, or no",
        QuestionKind::Failed { .. } => "choose one of the ways that it offers, or abort",
        QuestionKind::Unknown => "look again, done by hand with evidence, or abort",
        QuestionKind::Proof { .. } => "get the proof, type the declaration where there is one, no, or abort",
        QuestionKind::Approval { .. } => "an approver's signature, no, or abort",
        QuestionKind::Limit { .. } => "amend its limit with a reason, count again, no, or abort",
        QuestionKind::Drift => "accept with a reason, look again, no, or abort",
        QuestionKind::Arm => "arm the run with a reason, or abort",
    }
}
