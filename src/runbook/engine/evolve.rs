//! Events made true: the only place where a run's state changes.

use super::about::{exception, step_of};
use super::commit;
use super::machine::{Now, Order};
use super::probe::SLACK;
use crate::event::{Event, EventKind, Purpose};
use crate::model::actor::Actor;
use crate::model::id::StepId;
use crate::model::task::{CancelReason, Effect, Reality, TaskSpec};
use crate::runbook::intent::Answer;
use crate::runbook::plan::{DigestMismatch, Plan};
use crate::runbook::state::{
    Abort, Answered, Approved, Armed, End, Ended, Exception, Question, QuestionKind, RunState, RunStatus, StepNotes,
    StepRecord, StepState, Working,
};
use serde::Deserialize as _;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Time limit for reading an identity; a person waits for it.
const IDENTIFY_LIMIT: Duration = Duration::from_mins(1);
/// Time limit for a look at what became of an attempt.
const LOOK_LIMIT: Duration = Duration::from_mins(10);

/// Why a journal's events do not make a run.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("the journal is empty: the run was never created")]
    Empty,
    #[error("the journal does not begin with the run's plan")]
    NoPlan,
    #[error("the plan in the journal cannot be read: {0}")]
    BadPlan(serde_json::Error),
    #[error(transparent)]
    Altered(#[from] DigestMismatch),
    #[error("entry {found} follows entry {after}")]
    Order { after: u64, found: u64 },
}

/// The state that these events lead to. Orders are not given: what was to be done was done or lost.
pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<RunState, ReplayError> {
    let mut events = events.into_iter();
    let mut state = RunState::create(events.next().ok_or(ReplayError::Empty)?)?;
    for event in events {
        if event.seq != state.seq + 1 {
            return Err(ReplayError::Order { after: state.seq, found: event.seq });
        }
        commit::verify(event)?;
        state.apply(event);
    }
    Ok(state)
}

impl RunState {
    /// The state right after `RunCreated`. The plan must be what its digest says.
    pub fn create(first: &Event) -> Result<Self, ReplayError> {
        let EventKind::RunCreated { plan_digest, plan } = &first.kind else { return Err(ReplayError::NoPlan) };
        let plan: Plan = serde_json::from_value(plan.clone()).map_err(ReplayError::BadPlan)?;
        plan.verify_digest()?;
        if &plan.digest != plan_digest {
            return Err(DigestMismatch { stated: plan_digest.clone(), found: plan.digest }.into());
        }
        Ok(Self {
            id: first.run.clone(),
            steps: plan.steps.iter().map(|step| StepRecord::pending(step.id.clone())).collect(),
            plan: Arc::new(plan),
            status: RunStatus::Ready,
            operator: first.actor.clone(),
            hands: vec![first.actor.name.clone()],
            created_at: first.at,
            started_at: None,
            ended_at: None,
            armed: None,
            question: None,
            exceptions: Vec::new(),
            leftovers: Vec::new(),
            debts: Vec::new(),
            human_wait_ms: 0,
            last_at: first.at,
            working: None,
            abort: None,
            paused: None,
            lease: None,
            handover: None,
            provisional: None,
            turn: None,
            amendments: Vec::new(),
            asked: 0,
            seq: first.seq,
        })
    }

    /// Makes one event true and returns what a live runner must do about it.
    pub fn apply(&mut self, event: &Event) -> Vec<Order> {
        if self.awaits_person() {
            let waited = event.at.signed_duration_since(self.last_at).num_milliseconds();
            self.human_wait_ms = self.human_wait_ms.saturating_add(u64::try_from(waited).unwrap_or(0));
        }
        self.last_at = event.at;
        self.seq = event.seq;
        let orders = match &event.kind {
            EventKind::TaskIntended { step, attempt, purpose, task, .. } => {
                self.task_intended(event, step, *attempt, *purpose, task)
            }
            EventKind::DeadlinePassed { .. } => vec![Order::CancelTask { reason: CancelReason::Deadline }],
            EventKind::StopMet { step, why, .. } => self.stop_met(step, why),
            EventKind::TaskEnded { step, purpose, outcome, .. } => {
                self.ended(event, step, *purpose, End::Task(outcome.clone()));
                vec![]
            }
            EventKind::Reconciled { step, purpose, reality, .. } => {
                self.ended(event, step, *purpose, End::Look(reality.clone()));
                vec![]
            }
            EventKind::AbortRequested { reason, undo } => self.abort_requested(&event.actor, reason, *undo),
            EventKind::RunEnded { status, leftovers } => self.run_ended(event, status, leftovers),
            EventKind::WentBack { .. } => self.went_back(event),
            _ => {
                if let Some(cause) = self.lease_event(event) {
                    self.pause(&cause);
                }
                self.run_event(event);
                self.handover_event(event);
                self.debt_event(event);
                self.commit_event(event);
                self.amend_event(event);
                self.limit_event(event);
                self.question_event(event);
                self.step_event(event);
                vec![]
            }
        };
        self.status = self.status_now();
        orders
    }

    fn status_now(&self) -> RunStatus {
        if self.status.is_over() {
            self.status.clone()
        } else if self.abort.is_some() {
            RunStatus::Aborting
        } else if self.started_at.is_none() {
            RunStatus::Ready
        } else if let Some(cause) = &self.paused {
            RunStatus::Paused { cause: cause.clone() }
        } else if self.is_provisional() {
            RunStatus::Provisional
        } else if self.question.is_some() {
            RunStatus::Waiting
        } else {
            RunStatus::Running
        }
    }

    fn record(&mut self, id: &StepId) -> Option<&mut StepRecord> {
        self.steps.iter_mut().find(|step| &step.id == id)
    }

    fn task_intended(
        &mut self,
        event: &Event,
        step: &StepId,
        attempt: u32,
        purpose: Purpose,
        task: &TaskSpec,
    ) -> Vec<Order> {
        let planned = self.plan.step(step);
        let amended = self.step(step).and_then(|record| record.limit);
        let limit = amended.or(planned.map(|planned| planned.timeout)).unwrap_or(LOOK_LIMIT);
        let probing = planned.and_then(|planned| planned.post.as_ref()).map_or(LOOK_LIMIT, |post| post.within);
        self.working = Some(Working { step: step.clone(), attempt, purpose, since: event.at });
        if let Some(record) = self.record(step) {
            let (ended, answered) = (record.notes.ended.take(), record.notes.answered.take());
            match purpose {
                Purpose::Verify => record.probes_begin(ended, answered),
                Purpose::Run => {
                    record.state = StepState::Running;
                    record.attempt = attempt;
                    record.outcome = None;
                    record.reality = None;
                    record.why = None;
                    record.ended_at = None;
                    record.notes = StepNotes::default();
                    record.approved = None;
                }
                Purpose::Reconcile => {
                    if std::mem::take(&mut record.notes.unseen) {
                        // Without effect its turn simply comes; a failure stays one.
                        let failed = matches!(record.state, StepState::Failed | StepState::TimedOut);
                        record.notes.interrupted = !failed;
                    }
                    record.state = StepState::Reconciling;
                }
                Purpose::Undo => {
                    record.state = StepState::Compensating;
                    record.notes.undo_cut_off = false;
                }
                Purpose::ReconcileUndo => record.state = StepState::Compensating,
                Purpose::Count => record.notes.counted = None,
                Purpose::IdentifyToAsk => record.notes.fresh = false,
                Purpose::IdentifyToAct => record.notes.verified = false,
            }
        }
        let timeout = match purpose {
            Purpose::Run | Purpose::Undo => limit,
            Purpose::Reconcile | Purpose::ReconcileUndo | Purpose::Count => LOOK_LIMIT,
            Purpose::Verify => probing + SLACK,
            Purpose::IdentifyToAsk | Purpose::IdentifyToAct => IDENTIFY_LIMIT,
        };
        vec![Order::StartTask { step: step.clone(), attempt, purpose, task: task.clone(), timeout }]
    }

    fn ended(&mut self, event: &Event, step: &StepId, purpose: Purpose, end: End) {
        self.working = None;
        let Some(record) = self.record(step) else { return };
        match &end {
            End::Task(outcome) if purpose == Purpose::Run => {
                record.outcome = Some(outcome.clone());
                record.ended_at = Some(event.at);
            }
            End::Look(reality) if purpose == Purpose::Reconcile => {
                record.reality = Some(reality.clone());
                record.notes.looked = true;
            }
            End::Task(outcome) if purpose == Purpose::Verify => record.notes.probes_ended(outcome),
            _ => {}
        }
        record.notes.ended = Some(Ended { purpose, end, at: moment(event), earlier: false });
    }

    /// A task that works for the step is told to stop; looks and undos finish, because the end of the run
    /// depends on what they say.
    fn abort_requested(&mut self, by: &Actor, reason: &str, undo: bool) -> Vec<Order> {
        self.abort = Some(Abort { by: by.clone(), reason: reason.to_owned(), undo });
        self.paused = None;
        match self.working.as_ref().map(|working| working.purpose) {
            Some(Purpose::Run | Purpose::Verify | Purpose::Count | Purpose::IdentifyToAsk | Purpose::IdentifyToAct) => {
                vec![Order::CancelTask { reason: CancelReason::Operator }]
            }
            _ => vec![],
        }
    }

    fn run_ended(&mut self, event: &Event, status: &Value, leftovers: &[String]) -> Vec<Order> {
        let told = RunStatus::deserialize(status).ok().filter(RunStatus::is_over);
        self.status = told.unwrap_or(RunStatus::AbortedDirty);
        self.leftovers = leftovers.to_vec();
        self.ended_at = Some(event.at);
        self.question = None;
        self.armed = None;
        if matches!(self.status, RunStatus::AbortedClean | RunStatus::AbortedDirty) {
            for record in &mut self.steps {
                if matches!(
                    record.state,
                    StepState::Pending
                        | StepState::Blocked
                        | StepState::Ready
                        | StepState::AwaitingAnswer
                        | StepState::AwaitingApproval
                        | StepState::Armed
                ) {
                    record.state = StepState::Cancelled;
                }
            }
        }
        vec![Order::Finish]
    }

    fn run_event(&mut self, event: &Event) {
        if matches!(
            event.kind,
            EventKind::RunStarted | EventKind::Armed { .. } | EventKind::Resumed | EventKind::LeaseAcquired { .. }
        ) && !self.hands.contains(&event.actor.name)
        {
            self.hands.push(event.actor.name.clone());
        }
        match &event.kind {
            EventKind::RunStarted => self.started_at = Some(event.at),
            EventKind::Armed { reason, incident, until } => {
                self.armed = Some(Armed {
                    by: event.actor.clone(),
                    reason: reason.clone(),
                    incident: incident.clone(),
                    until: *until,
                });
            }
            EventKind::Disarmed { .. } => self.armed = None,
            EventKind::Paused { cause } => self.pause(cause),
            EventKind::Resumed => {
                self.paused = None;
                self.forget_confirmations();
            }
            EventKind::RunnerStarted { .. } => {
                self.forget_confirmations();
                self.age();
            }
            _ => {}
        }
    }

    fn pause(&mut self, cause: &str) {
        self.paused = Some(cause.to_owned());
        for record in &mut self.steps {
            let waits = matches!(record.state, StepState::AwaitingAnswer | StepState::AwaitingApproval);
            if record.notes.answered.take().is_some() && waits {
                record.state = StepState::Ready;
            }
        }
    }

    /// A yes counts for the moment in which it was given: what was confirmed and did not start before the
    /// run stood still is asked again.
    pub(super) fn forget_confirmations(&mut self) {
        if self.status.is_over() {
            return;
        }
        let working = self.working.as_ref().map(|working| working.step.clone());
        for record in &mut self.steps {
            let yes = record.notes.answered.as_ref().is_some_and(Answered::is_confirmation);
            if record.state != StepState::Armed && !yes {
                continue;
            }
            record.to(StepState::Ready, None);
            record.notes.answered = None;
            record.notes.confirmed = None;
            record.notes.confirmed_at = None;
            record.notes.verified = false;
            record.notes.fresh = false;
            if working.as_ref() != Some(&record.id) {
                record.notes.ended = None;
            }
        }
    }

    /// The clock by which something was a moment ago is gone with its runner.
    fn age(&mut self) {
        if self.status.is_over() {
            return;
        }
        for record in &mut self.steps {
            record.notes.fresh = false;
            record.notes.counted = None;
            if let Some(ended) = &mut record.notes.ended {
                ended.earlier = true;
            }
        }
    }

    fn question_event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::QuestionAsked { step, number, question } => {
                self.asked = *number;
                self.question = Question::deserialize(question).ok();
                let turn = self.question.as_ref().is_some_and(|asked| {
                    use QuestionKind::{Answer, Attest, Key, Phrase};
                    matches!(asked.kind, Key | Phrase { .. } | Answer { .. } | Attest { .. })
                });
                let approval =
                    self.question.as_ref().is_some_and(|asked| matches!(asked.kind, QuestionKind::Approval { .. }));
                if let Some(record) = self.record(step) {
                    record.notes.fresh = false;
                    if approval {
                        record.to(StepState::AwaitingApproval, None);
                        record.approvals.clear();
                        record.approved = None;
                    }
                    if turn {
                        record.to(StepState::AwaitingAnswer, None);
                    }
                }
            }
            EventKind::Answered { step, number, answer, refused: None } => {
                let Some(question) = self.question.take_if(|question| question.number == *number) else { return };
                let Ok(answer) = Answer::deserialize(answer) else { return };
                let (by, at) = (event.actor.clone(), moment(event));
                if let Some(record) = self.record(step) {
                    record.notes.answered = Some(Answered { kind: question.kind, answer, by, at });
                }
            }
            EventKind::ApprovalGiven { step, number, approver, .. } => self.approval_given(step, *number, approver),
            EventKind::QuestionWithdrawn { number, .. } => {
                let asked = self.question.take_if(|question| question.number == *number);
                for record in &mut self.steps {
                    let waits = asked.as_ref().is_some_and(|question| question.step == record.id)
                        && matches!(record.state, StepState::AwaitingAnswer | StepState::AwaitingApproval);
                    if waits || record.notes.confirmed == Some(*number) {
                        record.state = StepState::Ready;
                        record.notes.confirmed = None;
                        record.notes.verified = false;
                    }
                }
            }
            _ => {}
        }
    }

    /// Once enough people have approved, the question is answered.
    fn approval_given(&mut self, step: &StepId, number: u64, name: &str) {
        let Some(approver) = self.plan.approvers.iter().find(|known| known.name == name).cloned() else { return };
        let asked = self.question.as_ref().filter(|question| question.number == number);
        let Some(QuestionKind::Approval { request, quorum, .. }) = asked.map(|asked| asked.kind.clone()) else {
            return;
        };
        let Some(record) = self.record(step) else { return };
        record.approvals.push(approver);
        if record.approvals.len() >= quorum as usize {
            record.approved = Some(Approved { loss: request.loss.clone(), until: request.expires });
            record.to(StepState::Ready, None);
            self.question = None;
        }
    }

    /// Keeps what the event adds to the run's exceptions, in the name of who answered.
    fn take_exception(&mut self, id: &StepId, event: &Event) {
        let Some(record) = self.record(id) else { return };
        if let Some(text) = exception(&event.kind, record) {
            let by = record.notes.answered.as_ref().map_or_else(|| event.actor.clone(), |answered| answered.by.clone());
            self.exceptions.push(Exception { step: id.clone(), at: event.at, by, text });
        }
    }

    /// A step that waits for another one's proof waits again where that one is taken up anew.
    fn stand_back(&mut self, event: &Event) {
        if let EventKind::StepReopened { step, wanted_by } = &event.kind
            && let Some(waits) = self.record(wanted_by)
        {
            waits.stand_back(step);
        }
    }

    fn step_event(&mut self, event: &Event) {
        let Some(id) = step_of(&event.kind).cloned() else { return };
        let has_target = self.plan.step(&id).is_some_and(|planned| planned.target.is_some());
        let changes = self.plan.step(&id).is_some_and(|planned| planned.effect != Effect::Observe);
        let (aborting, asked) = (self.abort.is_some(), self.asked);
        if matches!(event.kind, EventKind::StepInterrupted { .. }) {
            self.working = None;
        }
        self.take_exception(&id, event);
        self.stand_back(event);
        let Some(record) = self.record(&id) else { return };
        match &event.kind {
            EventKind::StepReady { .. } => {
                record.to(StepState::Ready, None);
                record.started_at.get_or_insert(event.at);
                record.ended_at = None;
                record.notes.clear();
            }
            EventKind::IdentityRead { identity, .. } => {
                let ended = record.notes.ended.take();
                record.notes.read_mono_ms = ended.map_or(event.mono_ms, |ended| ended.at.mono_ms);
                record.identity = Some(identity.clone());
                record.notes.verified = record.state == StepState::Armed;
                record.notes.fresh = !record.notes.verified;
            }
            EventKind::StepConfirmed { .. } => {
                let answered = record.notes.answered.take();
                let number = if answered.is_some() { asked } else { 0 };
                record.notes.confirmed_at = answered.map(|answered| answered.at);
                record.to(StepState::Armed, None);
                record.notes.confirmed = Some(number);
                record.notes.verified = number == 0 || !has_target;
            }
            EventKind::StepBlocked { why, .. } => {
                record.to(StepState::Blocked, Some(why));
                record.notes.confirmed = None;
                record.notes.verified = false;
            }
            EventKind::DriftAccepted { .. } => {
                record.accepted.clone_from(&record.identity);
                record.to(StepState::Ready, None);
                record.notes.answered = None;
            }
            EventKind::ProofDeclared { missing, .. } => {
                record.declared.extend(missing.iter().cloned());
                record.to(StepState::Ready, None);
                record.notes.answered = None;
            }
            EventKind::StepReopened { .. } => record.reopen(changes),
            EventKind::StepUndone { .. } | EventKind::StepUndoneByHand { .. } if !aborting => {
                record.to(StepState::Ready, Some("taken back; it may run again"));
                record.outcome = None;
                record.reality = Some(Reality::NotDone("it was taken back".to_owned()));
                record.ended_at = None;
                record.notes = StepNotes::default();
            }
            kind => record.settle(kind, event, aborting),
        }
    }
}

fn moment(event: &Event) -> Now {
    Now { at: event.at, mono_ms: event.mono_ms }
}
