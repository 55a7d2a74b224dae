//! Events: facts, in the past tense, with who and when.

use crate::model::actor::Actor;
use crate::model::amount::Amount;
use crate::model::id::{RunId, StepId};
use crate::model::lease::TakenFrom;
use crate::model::task::{Reality, TargetIdentity, TaskOutcome, TaskSpec};
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One entry of a run's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// 1 for the first entry of a run, rising by one.
    pub seq: u64,
    pub run: RunId,
    pub at: Timestamp,
    /// Milliseconds since the runner started, from a clock that never jumps.
    pub mono_ms: u64,
    pub actor: Actor,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Why a task runs for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To do the step.
    Run,
    /// To learn what happened to an attempt whose end is not known.
    Reconcile,
    /// To take the step back.
    Undo,
    /// To learn what happened to an undo whose end is not known.
    ReconcileUndo,
    /// To look whether what the step did holds.
    Verify,
    /// To count what the step would touch, before it may begin.
    Count,
    /// To read the target's identity before asking.
    IdentifyToAsk,
    /// To read it again after the answer, in the same second as the act.
    IdentifyToAct,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum EventKind {
    /// The whole plan, pinned. Always the first entry.
    RunCreated {
        plan_digest: String,
        plan: Value,
    },
    /// A runner process took the run up; `resumed` if an earlier one was there.
    RunnerStarted {
        pid: u32,
        resumed: bool,
        version: String,
    },
    RunnerStopped {
        why: String,
    },
    RunStarted,
    /// The run holds its lock scopes; with `taken_from` because someone took it over.
    LeaseAcquired {
        epoch: u64,
        scopes: Vec<String>,
        /// Where the lease lies, for people.
        place: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        taken_from: Option<TakenFrom>,
    },
    /// The lease could not be renewed before it expired. Nobody else may act, and neither may this run.
    LeaseLapsed {
        why: String,
    },
    /// A lapsed lease is renewed; the run stays paused until someone resumes it.
    LeaseRenewed,
    /// Someone else holds the lock scope: this copy of the run is fenced off for good.
    LeaseLost {
        why: String,
    },
    Armed {
        reason: String,
        incident: Option<String>,
        until: Timestamp,
    },
    Disarmed {
        why: String,
    },
    Paused {
        cause: String,
    },
    Resumed,
    AbortRequested {
        reason: String,
        undo: bool,
    },
    NoteAdded {
        text: String,
    },
    /// The operator wants to give the run to `to`; `open` is what was not settled then.
    HandoverOffered {
        to: String,
        believed: String,
        next: String,
        open: Vec<String>,
    },
    HandoverWithdrawn,
    /// Whoever says it operates the run now, and has typed the next action back.
    HandoverTaken {
        from: Actor,
        read_back: String,
    },
    /// Whoever says it operates the run now, without an offer.
    OperatorRelieved {
        from: Actor,
        reason: String,
    },
    /// The step's turn has come, or has come again: after a retry, an undo, a look at the world.
    StepReady {
        step: StepId,
    },
    /// Intent: written before the task starts.
    TaskIntended {
        step: StepId,
        attempt: u32,
        purpose: Purpose,
        task: TaskSpec,
        /// Of the lease under which it starts; 0 where the run needs none.
        #[serde(default, skip_serializing_if = "is_zero")]
        epoch: u64,
    },
    TaskEnded {
        step: StepId,
        attempt: u32,
        purpose: Purpose,
        outcome: TaskOutcome,
    },
    /// The task ran into its step's time limit and was told to stop.
    DeadlinePassed {
        step: StepId,
        attempt: u32,
        purpose: Purpose,
    },
    /// A condition on which the step's work stops was seen; the task was told to stop.
    StopMet {
        step: StepId,
        attempt: u32,
        why: String,
    },
    /// A look at the world ended; the answer to purposes `reconcile` and `reconcile-undo`.
    Reconciled {
        step: StepId,
        attempt: u32,
        purpose: Purpose,
        reality: Reality,
    },
    IdentityRead {
        step: StepId,
        identity: TargetIdentity,
        drift: Vec<(String, String, String)>,
    },
    /// What the step would touch was counted.
    AmountCounted {
        step: StepId,
        counted: Amount,
    },
    /// A question was put; `question` is `runbook::Question` as data.
    QuestionAsked {
        step: StepId,
        number: u64,
        question: Value,
    },
    /// An answer came; refused ones are kept too, with the reason.
    Answered {
        step: StepId,
        number: u64,
        answer: Value,
        refused: Option<String>,
    },
    /// A question no longer stands (the target changed, the run was aborted).
    QuestionWithdrawn {
        number: u64,
        why: String,
    },
    StepConfirmed {
        step: StepId,
    },
    StepBlocked {
        step: StepId,
        why: String,
    },
    StepDone {
        step: StepId,
    },
    StepFailed {
        step: StepId,
        why: String,
    },
    StepTimedOut {
        step: StepId,
    },
    /// The runner ended while a task of the step ran; `purpose` says which.
    StepInterrupted {
        step: StepId,
        purpose: Purpose,
    },
    StepUnknown {
        step: StepId,
        why: String,
    },
    StepSkipped {
        step: StepId,
        reason: String,
    },
    /// A dry run leaves it out; nothing was done and nothing is claimed.
    StepNotRun {
        step: StepId,
        why: String,
    },
    /// Stopped, or never begun, because the run was aborted.
    StepCancelled {
        step: StepId,
        why: String,
    },
    StepDoneByHand {
        step: StepId,
        evidence: String,
    },
    StepUndone {
        step: StepId,
    },
    StepUndoFailed {
        step: StepId,
        why: String,
    },
    DriftAccepted {
        step: StepId,
        reason: String,
    },
    /// The step is about to make something that the drill must clear again.
    DebtIncurred {
        step: StepId,
        title: String,
    },
    /// A look found gone what the step had made.
    DebtSettled {
        step: StepId,
    },
    /// The operator declared that the step goes on without these proofs, at this loss.
    ProofDeclared {
        step: StepId,
        missing: Vec<String>,
        loss: String,
    },
    /// A person other than the operator signed the request of this question.
    ApprovalGiven {
        step: StepId,
        number: u64,
        approver: String,
        /// SHA-256 of the text that was signed, hexadecimal.
        request: String,
        /// Ed25519, as it was typed: base32 with check characters.
        signature: String,
    },
    /// A step that was skipped or done by hand is to run for the proof that another one needs.
    StepReopened {
        step: StepId,
        wanted_by: StepId,
    },
    /// Everything before this commit point is done: recovered, and not committed.
    RunProvisional {
        step: StepId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decide_by: Option<Timestamp>,
    },
    /// The time to decide has passed; the run holds.
    DecisionOverdue {
        step: StepId,
    },
    /// There is more time to decide.
    DecisionPostponed {
        until: Timestamp,
        reason: String,
    },
    /// From its next attempt on the step has another time limit than the plan gives it, in seconds.
    TimeLimitAmended {
        step: StepId,
        before: u64,
        after: u64,
        reason: String,
    },
    /// From here on the step may touch another amount than the plan allows it.
    LimitAmended {
        step: StepId,
        before: Amount,
        after: Amount,
        reason: String,
    },
    /// In place of committing: what was done from `back_to` on is taken back, and then done anew by this plan.
    AnotherPointChosen {
        back_to: StepId,
        reason: String,
        /// `runbook::commit::Change` as data, one for each value.
        changes: Vec<Value>,
        plan_digest: String,
        /// The whole plan, pinned.
        plan: Value,
    },
    /// All of that is taken back; the new plan is in force.
    WentBack {
        back_to: StepId,
        plan_digest: String,
    },
    /// On the way back: a person took the step back.
    StepUndoneByHand {
        step: StepId,
        evidence: String,
    },
    /// `status` is `runbook::RunStatus` as data; `leftovers` is what an aborted run left behind.
    RunEnded {
        status: Value,
        leftovers: Vec<String>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero(epoch: &u64) -> bool {
    *epoch == 0
}
