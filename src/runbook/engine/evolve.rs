//! Events made true: the only place where a run's state changes.

use super::about::{exception, step_of};
use super::commit;
use super::machine::{Now, Order};
use crate::event::{Event, EventKind};
use crate::model::id::StepId;
use crate::model::task::{CancelReason, Effect, Reality};
use crate::runbook::plan::{DigestMismatch, Plan};
use crate::runbook::state::{Answered, Armed, End, Exception, RunState, RunStatus, StepNotes, StepRecord, StepState};
use serde::Deserialize as _;
use serde_json::Value;
use std::sync::Arc;

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
            working: Vec::new(),
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
            EventKind::DeadlinePassed { step, .. } => {
                vec![Order::CancelTask { step: step.clone(), reason: CancelReason::Deadline }]
            }
            EventKind::StopMet { step, why, .. } => self.stop_met(step, why),
            EventKind::TaskEnded { step, purpose, outcome, .. } => {
                self.task_ended(event, step, *purpose, End::Task(outcome.clone()));
                vec![]
            }
            EventKind::Reconciled { step, purpose, reality, .. } => {
                self.task_ended(event, step, *purpose, End::Look(reality.clone()));
                vec![]
            }
            EventKind::AbortRequested { reason, undo } => self.abort_requested(&event.actor, reason, *undo),
            EventKind::RunEnded { status, leftovers } => self.run_ended(event, status, leftovers),
            EventKind::WentBack { .. } => self.went_back(event),
            _ => {
                let orders = self.left_out(event);
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
                orders
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

    pub(super) fn record(&mut self, id: &StepId) -> Option<&mut StepRecord> {
        self.steps.iter_mut().find(|step| &step.id == id)
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
        let working: Vec<StepId> = self.working.iter().map(|working| working.step.clone()).collect();
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
            if !working.contains(&record.id) {
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
            self.landed(&id);
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

pub(super) fn moment(event: &Event) -> Now {
    Now { at: event.at, mono_ms: event.mono_ms }
}
