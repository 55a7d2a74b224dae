//! Questions put, answered and withdrawn: what that makes of the run.

use super::evolve::moment;
use crate::event::{Event, EventKind};
use crate::model::id::StepId;
use crate::runbook::intent::Answer;
use crate::runbook::state::{Answered, Approved, Question, QuestionKind, RunState, StepState};
use serde::Deserialize as _;

impl RunState {
    pub(super) fn question_event(&mut self, event: &Event) {
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
}
