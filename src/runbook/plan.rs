//! A plan: a runbook bound to resolved values, with a digest. What was approved is what runs.

use super::approval::Approver;
use super::commit::CommitPoint;
use super::definition::{AnswerKind, Confirm, SkipRule};
use super::digest;
use super::drill::Made;
use super::estimate::Estimate;
use super::group::Group;
use super::probe::{Post, Watch};
use crate::model::amount::Amount;
use crate::model::id::{RunbookId, StepId};
use crate::model::objective::optional_seconds;
use crate::model::task::{Effect, TargetIdentity, TaskSpec, Values};
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    DryRun,
    Drill,
    Real,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Mode::DryRun => "dry-run",
            Mode::Drill => "drill",
            Mode::Real => "real",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub runbook: RunbookId,
    pub title: String,
    /// Digest of the runbook file that was bound.
    pub runbook_digest: String,
    pub estate: String,
    pub environment: String,
    pub mode: Mode,
    pub made_at: Timestamp,
    pub params: Values,
    /// Answers of the plan-time looks, by resolve id.
    pub resolved: Values,
    /// Generated names, by name.
    pub names: Values,
    pub touches: Vec<String>,
    /// What no other run may work on meanwhile, sorted; empty where nothing is locked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lock_scope: Vec<String>,
    /// The step that stands for the disaster: recovery is measured from its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<StepId>,
    #[serde(with = "optional_seconds", default)]
    pub rpo: Option<Duration>,
    #[serde(with = "optional_seconds", default)]
    pub rto: Option<Duration>,
    pub steps: Vec<PlannedStep>,
    /// Which of the steps wait for which; empty where each waits for all before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// Who may approve; empty where no step asks for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
    /// SHA-256 over the canonical JSON of everything above, hexadecimal. See [`Plan::compute_digest`].
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    pub id: StepId,
    /// The group that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    pub title: String,
    pub help: String,
    pub action: PlannedAction,
    pub effect: Effect,
    pub confirm: Confirm,
    pub phrase: Option<String>,
    /// How to re-read the live identity of the target.
    pub target: Option<TaskSpec>,
    /// The identity that was read while planning.
    pub identity: Option<TargetIdentity>,
    #[serde(with = "crate::model::objective::seconds")]
    pub timeout: Duration,
    pub retry: u32,
    pub skip: SkipRule,
    pub undo: Option<TaskSpec>,
    /// The module may be run again after an attempt whose end is not known.
    pub idempotent: bool,
    /// Why this mode leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<String>,
    /// What it makes in a drill, which must be seen gone again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub makes: Option<Made>,
    /// It looks whether what this step made is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clears: Option<StepId>,
    /// The proof that its task must give for the step to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_out: Option<String>,
    /// Proofs without which it does not start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proof_in: Vec<String>,
    /// Its module takes them, as the table `proofs` of its input.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_proofs: bool,
    /// How it may go on without them, rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declare: Option<PlannedDeclare>,
    /// What it took in earlier runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// Who else must say yes before it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<PlannedApproval>,
    /// What must hold after its work for it to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<Post>,
    /// The step that says what it loses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_from: Option<StepId>,
    /// What stops its work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_if: Option<Watch>,
    /// The most that it may touch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Amount>,
    /// It makes the recovery final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitPoint>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedDeclare {
    pub loss: String,
    pub phrase: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<PlannedApproval>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedApproval {
    pub quorum: u32,
    #[serde(with = "crate::model::objective::seconds")]
    pub ttl: Duration,
    pub loss: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum PlannedAction {
    Task(TaskSpec),
    Question { prompt: String, answer: AnswerKind },
    Attest { prompt: String },
}

impl Plan {
    /// SHA-256 over the canonical JSON (keys sorted at every depth, no white space) of everything but the
    /// digest itself.
    pub fn compute_digest(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("digest");
        }
        digest::of(&value)
    }

    /// The plan is what its digest says.
    pub fn verify_digest(&self) -> Result<(), DigestMismatch> {
        let found = self.compute_digest();
        if found == self.digest { Ok(()) } else { Err(DigestMismatch { stated: self.digest.clone(), found }) }
    }

    /// Whether the run must hold a lease on its lock scope before it begins. A dry run changes nothing, so it
    /// keeps nobody away.
    pub fn needs_lease(&self) -> bool {
        self.mode != Mode::DryRun && !self.lock_scope.is_empty()
    }

    /// Whether the step comes before the disaster that a drill stands for.
    pub fn prepares(&self, step: &StepId) -> bool {
        let place = |id: &StepId| self.steps.iter().position(|step| &step.id == id);
        self.clock.as_ref().and_then(place).zip(place(step)).is_some_and(|(clock, step)| step <= clock)
    }

    pub fn step(&self, id: &StepId) -> Option<&PlannedStep> {
        self.steps.iter().find(|step| &step.id == id)
    }
}

/// The plan was altered after it was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan is not the one that was approved: it states digest {stated}, its content gives {found}")]
pub struct DigestMismatch {
    pub stated: String,
    pub found: String,
}
