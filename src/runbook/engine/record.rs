//! One step's record: how it comes to rest, and what its last task or answer leaves as its output.

use crate::event::{Event, EventKind, Purpose};
use crate::model::task::{Reality, TaskOutcome, Values};
use crate::runbook::definition::AnswerKind;
use crate::runbook::intent::Answer;
use crate::runbook::state::{Answered, End, Ended, QuestionKind, StepNotes, StepRecord, StepState};
use serde_json::Value;

impl StepRecord {
    pub(super) fn to(&mut self, state: StepState, why: Option<&str>) {
        self.state = state;
        self.why = why.map(str::to_owned);
    }

    /// Whether the last look saw something of it, or saw nothing clearly: a person or an old holder of the run
    /// may have done it where this run knows no attempt.
    pub(super) fn may_be_there(&self) -> bool {
        matches!(&self.reality, Some(Reality::Done(_) | Reality::Partial(_) | Reality::Unknown(_)))
    }

    /// Events after which the step rests: settled, or in need of a person or of a look.
    pub(super) fn settle(&mut self, kind: &EventKind, event: &Event, aborting: bool) {
        let ended = self.notes.ended.take();
        let answered = self.notes.answered.take();
        self.notes.fresh = false;
        if !matches!(kind, EventKind::StepUnknown { .. } | EventKind::StepInterrupted { .. }) {
            self.notes.stopped = None;
        }
        match kind {
            EventKind::StepDone { .. } => {
                self.to(StepState::Done, None);
                if ended.as_ref().is_some_and(|ended| ended.purpose == Purpose::Verify) {
                    self.probes_hold();
                } else if let Some(output) = ended.and_then(Ended::output).or_else(|| answered.map(Answered::output)) {
                    self.outcome = Some(TaskOutcome::Done { output });
                }
            }
            EventKind::StepFailed { why, .. } => self.to(StepState::Failed, Some(why)),
            EventKind::StepTimedOut { .. } => self.to(StepState::TimedOut, Some("its time limit passed")),
            EventKind::StepInterrupted { purpose, .. } => self.interrupted(*purpose),
            EventKind::StepUnknown { why, .. } => self.to(StepState::Unknown, Some(why)),
            EventKind::StepSkipped { reason, .. } => self.to(StepState::Skipped, Some(reason)),
            EventKind::StepNotRun { why, .. } => self.to(StepState::NotRun, Some(why)),
            EventKind::StepCancelled { why, .. } => self.to(StepState::Cancelled, Some(why)),
            EventKind::StepDoneByHand { evidence, .. } => self.to(StepState::DoneByHand, Some(evidence)),
            EventKind::StepUndone { .. } => self.to(StepState::Compensated, None),
            EventKind::StepUndoFailed { why, .. } if aborting => self.to(StepState::CompensationFailed, Some(why)),
            EventKind::StepUndoFailed { why, .. } => {
                self.to(StepState::Failed, Some(why));
                self.reality = Some(Reality::Partial(why.clone()));
            }
            _ => return,
        }
        self.ended_at = Some(event.at);
    }

    fn interrupted(&mut self, purpose: Purpose) {
        const WHY: &str = "the runner ended while it ran";
        match purpose {
            Purpose::Run => {
                self.to(StepState::Interrupted, Some(WHY));
                self.notes.interrupted = true;
                self.notes.looked = false;
            }
            Purpose::Reconcile => {
                let before = if self.notes.interrupted { StepState::Interrupted } else { StepState::Unknown };
                self.to(before, Some(WHY));
                self.notes.looked = false;
            }
            // They begin anew: what held before the break says nothing of the time since.
            Purpose::Verify => self.to(StepState::Verifying, Some(WHY)),
            Purpose::Undo | Purpose::ReconcileUndo => {
                self.to(StepState::Compensating, Some(WHY));
                self.notes.undo_cut_off = true;
            }
            Purpose::Count | Purpose::IdentifyToAsk | Purpose::IdentifyToAct => {
                self.to(StepState::Ready, None);
                self.notes.clear();
            }
        }
    }
}

impl StepNotes {
    /// Forgets everything but what only a look at the world settles.
    pub(super) fn clear(&mut self) {
        *self = Self { unseen: self.unseen, ..Self::default() };
    }
}

impl Ended {
    pub(super) fn output(self) -> Option<Values> {
        match self.end {
            End::Task(TaskOutcome::Done { output }) | End::Look(Reality::Done(output)) => Some(output),
            _ => None,
        }
    }
}

impl Answered {
    pub(super) fn is_confirmation(&self) -> bool {
        matches!(self.kind, QuestionKind::Key | QuestionKind::Phrase { .. })
            && matches!(self.answer, Answer::Yes | Answer::Phrase { .. })
    }

    /// A person's answer as a step's output.
    pub(super) fn output(self) -> Values {
        let answer = match self.answer {
            Answer::Value { value } => value,
            Answer::DoneByHand { evidence } => Value::String(evidence),
            Answer::No => Value::Bool(false),
            _ => Value::Bool(true),
        };
        let name = if matches!(
            self.kind,
            QuestionKind::Answer { answer: AnswerKind::YesNo | AnswerKind::Text | AnswerKind::Integer, .. }
        ) {
            "answer"
        } else {
            "note"
        };
        [(name.to_owned(), answer), ("by".to_owned(), Value::String(self.by.to_string()))].into_iter().collect()
    }
}
