//! What an operator may ask of a run.

use super::plan::Plan;
use crate::model::amount::Amount;
use crate::model::id::StepId;
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "kebab-case")]
pub enum Intent {
    /// Begin, or go on after a pause. Carries the digest of the plan that the operator saw.
    Start {
        plan_digest: String,
    },
    /// Answer the question with this number; another number is refused as out of date.
    Answer {
        question: u64,
        answer: Answer,
    },
    /// Allow steps that change something, until then.
    Arm {
        reason: String,
        incident: Option<String>,
        until: Timestamp,
    },
    Disarm,
    /// Start no further step. What runs now runs to its end.
    Pause {
        reason: String,
    },
    Resume,
    /// Stop what runs; with `undo`, take back in reverse order what has an undo.
    Abort {
        reason: String,
        undo: bool,
    },
    /// At the commit point, instead of committing: take back what the runbook says, and do it anew by this plan.
    AnotherPoint {
        plan: Box<Plan>,
        reason: String,
    },
    /// More time to decide at the commit point.
    Postpone {
        until: Timestamp,
        reason: String,
    },
    /// Another time limit for the next attempts of a step.
    LimitTime {
        step: StepId,
        #[serde(with = "crate::model::objective::seconds")]
        limit: Duration,
        reason: String,
    },
    /// Another amount that the step may touch; a figure that is absent stays as it is.
    LimitAmount {
        step: StepId,
        limit: Amount,
        reason: String,
    },
    /// A remark for the journal.
    Note {
        text: String,
    },
    /// Give the run to another operator, who must type `next` back.
    OfferHandover {
        to: String,
        believed: String,
        next: String,
    },
    WithdrawHandover,
    TakeHandover {
        read_back: String,
    },
    /// Take the run from an operator who is gone.
    Relieve {
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    Yes,
    No,
    Phrase {
        text: String,
    },
    Value {
        value: serde_json::Value,
    },
    /// An approver's signature over the request of the question.
    Approve {
        approver: String,
        signature: String,
    },
    /// A failed step: once more.
    Retry,
    /// A failed or refused step: go on without it; ends the run with an exception.
    Skip {
        reason: String,
    },
    /// A failed step: a person did it; ends the run with an exception.
    DoneByHand {
        evidence: String,
    },
    /// The target changed since the plan: go on all the same; ends the run with an exception.
    AcceptDrift {
        reason: String,
    },
    /// An unknown, failed or drifted step: look at the world again.
    LookAgain,
    /// A failed step that has an undo: take it back, so that it can be tried again.
    Undo,
}
