//! Tasks in flight: how they begin, how they come to their end, and which are told to stop.

use super::evolve::moment;
use super::machine::Order;
use super::probe::SLACK;
use crate::event::{Event, EventKind, Purpose};
use crate::model::actor::Actor;
use crate::model::id::StepId;
use crate::model::task::{CancelReason, TaskSpec};
use crate::runbook::state::{Abort, End, Ended, RunState, StepNotes, StepState, Working};
use std::time::Duration;

/// Time limit for reading an identity; a person waits for it.
const IDENTIFY_LIMIT: Duration = Duration::from_mins(1);
/// Time limit for a look at what became of an attempt.
const LOOK_LIMIT: Duration = Duration::from_mins(10);

impl RunState {
    pub(super) fn task_intended(
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
        self.working.push(Working { step: step.clone(), attempt, purpose, since: event.at });
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

    pub(super) fn task_ended(&mut self, event: &Event, step: &StepId, purpose: Purpose, end: End) {
        self.landed(step);
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

    /// Tasks that work for their steps are told to stop; looks and undos finish, because the end of the run
    /// depends on what they say.
    pub(super) fn abort_requested(&mut self, by: &Actor, reason: &str, undo: bool) -> Vec<Order> {
        self.abort = Some(Abort { by: by.clone(), reason: reason.to_owned(), undo });
        self.paused = None;
        let stops = |working: &&Working| {
            use Purpose::{Count, IdentifyToAct, IdentifyToAsk, Run, Verify};
            matches!(working.purpose, Run | Verify | Count | IdentifyToAsk | IdentifyToAct)
        };
        let stop = |working: &Working| Order::CancelTask { step: working.step.clone(), reason: CancelReason::Operator };
        self.working.iter().filter(stops).map(stop).collect()
    }

    /// The step is left out while its task works: enough of its group are done.
    pub(super) fn left_out(&mut self, event: &Event) -> Vec<Order> {
        let EventKind::StepNotRun { step, .. } = &event.kind else { return vec![] };
        let works = self.working_on(step).is_some();
        self.landed(step);
        let stop = Order::CancelTask { step: step.clone(), reason: CancelReason::Condition };
        if works { vec![stop] } else { vec![] }
    }

    /// No task is in flight for the step any more.
    pub(super) fn landed(&mut self, step: &StepId) {
        self.working.retain(|working| &working.step != step);
    }
}
