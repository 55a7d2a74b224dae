//! The question that a run puts to its operator: what it is about, and what yes, no and silence lead to.

use super::approval::ApprovalRequest;
use super::definition::AnswerKind;
use crate::model::amount::Amount;
use crate::model::id::StepId;
use crate::model::task::TargetIdentity;
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Rises with every question; answers carry it, so that a late answer cannot hit another question.
    pub number: u64,
    pub step: StepId,
    pub kind: QuestionKind,
    pub title: String,
    /// What happens on yes, on no, and if nobody answers.
    pub if_yes: String,
    pub if_no: String,
    pub if_nothing: String,
    /// Identity of the target, read in the same second as the question was put.
    pub target: Option<TargetIdentity>,
    /// What differs from the plan: `(fact, in the plan, now)`.
    pub drift: Vec<(String, String, String)>,
    pub asked_at: Timestamp,
    /// What would be lost, as far as the run knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossSeen>,
}

/// A loss at the moment of choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossSeen {
    pub text: String,
    /// How that is known.
    pub known_by: String,
    /// When it was looked at.
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum QuestionKind {
    /// One key for yes.
    Key,
    /// This phrase must be typed.
    Phrase {
        phrase: String,
    },
    Answer {
        prompt: String,
        answer: AnswerKind,
    },
    Attest {
        prompt: String,
    },
    /// A step failed or timed out: retry, skip with reason, done by hand with evidence, undo, look
    /// again, abort.
    Failed {
        may_retry: bool,
        may_skip: bool,
        may_undo: bool,
        may_look: bool,
    },
    /// Nobody knows whether a step took effect: look again, done by hand with evidence, abort.
    Unknown,
    /// A proof is missing: run the step that gives it, or declare the loss by its phrase where the runbook
    /// allows it.
    Proof {
        missing: Vec<String>,
        /// What a declaration says.
        loss: Option<String>,
        phrase: Option<String>,
        /// The step that can be run for it.
        from: Option<StepId>,
    },
    /// People other than the operator must say yes, with their signatures over the request.
    Approval {
        request: Box<ApprovalRequest>,
        quorum: u32,
        /// The request as one word that another device reads.
        code: String,
        /// What two people compare by voice.
        short: String,
    },
    /// It would touch more than its limit: amend that with a reason, count again, skip with a reason, abort.
    Limit {
        counted: Amount,
        limit: Amount,
        may_skip: bool,
    },
    /// The target is not what the plan saw.
    Drift,
    /// The run is read-only: it must be armed to go on.
    Arm,
}
