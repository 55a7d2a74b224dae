//! Approval by a second person: what it is asked for, whose counts, how long it holds.

use super::advance::At;
use super::ask;
use crate::event::{Event, EventKind};
use crate::model::time::Timestamp;
use crate::runbook::approval::{ApprovalRequest, Approver, signature_bytes};
use crate::runbook::plan::{Mode, PlannedApproval};
use crate::runbook::state::{Question, QuestionKind, RunState};

impl At<'_> {
    /// What must be approved before the step starts: its own approval, and that of a declaration in force.
    pub fn approval(&self) -> Option<PlannedApproval> {
        if self.state.plan.mode == Mode::DryRun {
            return None;
        }
        let declared = self.planned.declare.as_ref().filter(|_| {
            self.planned.proof_in.iter().any(|name| self.record.declared.contains(name) && self.proof(name).is_none())
        });
        let by_declaration = declared.and_then(|declare| {
            let approve = declare.approve.as_ref()?;
            Some(PlannedApproval { loss: declare.loss.clone(), ..approve.clone() })
        });
        let own = self.planned.approve.clone();
        let own = own.map(|own| PlannedApproval { loss: self.loss_to_approve(own.loss), ..own });
        match (own, by_declaration) {
            (Some(own), Some(declared)) => Some(PlannedApproval {
                quorum: own.quorum.max(declared.quorum),
                ttl: own.ttl.min(declared.ttl),
                loss: format!("{}; declared: {}", own.loss, declared.loss),
            }),
            (own, declared) => own.or(declared),
        }
    }

    /// Whether enough people have approved exactly this, and their word has not run out.
    pub fn is_approved(&self) -> bool {
        self.approval().is_none_or(|wanted| {
            self.record.approved.as_ref().is_some_and(|given| given.until > self.now.at && given.loss == wanted.loss)
        })
    }
}

/// `Some` while an approval is missing: the question for it.
pub fn missing(at: At<'_>) -> Option<EventKind> {
    let wanted = at.approval().filter(|_| !at.is_approved())?;
    let plan = &at.state.plan;
    let until = at.now.at + chrono::Duration::from_std(wanted.ttl).unwrap_or(chrono::Duration::zero());
    let request = ApprovalRequest {
        estate: plan.estate.clone(),
        environment: plan.environment.clone(),
        run: at.state.id.clone(),
        mode: plan.mode.to_string(),
        step: at.step(),
        title: at.planned.title.clone(),
        loss: wanted.loss,
        plan: plan.digest.clone(),
        question: at.state.asked + 1,
        operator: at.state.operator.name.clone(),
        expires: chrono::DurationRound::duration_trunc(until, chrono::Duration::seconds(1)).unwrap_or(until),
    };
    Some(ask::approval(at, request, wanted.quorum))
}

/// Whether the open question's time has passed.
pub fn ran_out(question: &Question, now: Timestamp) -> bool {
    matches!(&question.kind, QuestionKind::Approval { request, .. } if request.expires <= now)
}

/// Whose approval this is, or why it does not count.
pub fn check(
    state: &RunState,
    question: &Question,
    name: &str,
    signature: &str,
    now: Timestamp,
) -> Result<Approver, String> {
    let QuestionKind::Approval { request, .. } = &question.kind else {
        return Err("this question asks for no approval".to_owned());
    };
    if request.expires <= now {
        return Err(format!("the time for this approval ended at {}; it is asked anew", request.expires));
    }
    let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
    let Some(approver) = state.plan.approvers.iter().find(|known| same(&known.name, name)) else {
        return Err("that name is none of the approvers that the plan knows".to_owned());
    };
    let bytes = signature_bytes(signature).map_err(|error| format!("the signature cannot be read: {error}"))?;
    if !approver.signed(&request.text(), &bytes) {
        return Err(format!(
            "the signature is not one of {} over this request: another key, another run, step, plan, loss or expiry",
            approver.name
        ));
    }
    if state.hands.iter().any(|hand| same(hand, &approver.name)) {
        return Err(format!(
            "{} created, started, resumed or armed this run: nobody approves their own work",
            approver.name
        ));
    }
    let record = state.step(&question.step);
    let again = record.is_some_and(|record| record.approvals.iter().any(|given| given.name == approver.name));
    if again {
        return Err(format!("{} has approved this already; another person is needed", approver.name));
    }
    // Two names over one key are one person.
    let twin = |given: &Approver| given.public_key == approver.public_key;
    if record.is_some_and(|record| record.approvals.iter().any(twin)) {
        return Err("that key has approved this already, under another name".to_owned());
    }
    Ok(approver.clone())
}

/// Approvals of a journal whose signature does not hold: entry, and what is wrong. A journal that was written
/// anew as a whole has an unbroken chain; what it cannot have is an approver's signature.
pub fn audit(events: &[Event], approvers: &[Approver]) -> Vec<(u64, String)> {
    let mut asked: Option<(u64, ApprovalRequest)> = None;
    let mut wrong = Vec::new();
    for event in events {
        match &event.kind {
            EventKind::QuestionAsked { number, question, .. } => {
                asked = match serde_json::from_value::<Question>(question.clone()).map(|question| question.kind) {
                    Ok(QuestionKind::Approval { request, .. }) => Some((*number, *request)),
                    _ => None,
                };
            }
            EventKind::ApprovalGiven { number, approver, request, signature, .. } => {
                let signed = asked.as_ref().filter(|(question, _)| question == number).is_some_and(|(_, wanted)| {
                    let key = approvers.iter().find(|known| &known.name == approver);
                    let bytes = signature_bytes(signature).unwrap_or_default();
                    &wanted.digest() == request && key.is_some_and(|key| key.signed(&wanted.text(), &bytes))
                });
                if !signed {
                    wrong.push((event.seq, format!("the approval by {approver} is not signed with their key")));
                }
            }
            _ => {}
        }
    }
    wrong
}
