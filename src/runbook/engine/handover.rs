//! Who operates a run: handed over with a read-back, or relieved with a reason. Everyone else watches.

use super::decide::text_of;
use crate::event::{Event, EventKind};
use crate::model::actor::Actor;
use crate::runbook::intent::{Answer, Intent};
use crate::runbook::state::{Handover, QuestionKind, RunState};

impl RunState {
    /// Makes an event about the run's operator true.
    pub(super) fn handover_event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::HandoverOffered { to, believed, next, open } => {
                self.handover = Some(Handover {
                    from: event.actor.clone(),
                    to: to.clone(),
                    believed: believed.clone(),
                    next: next.clone(),
                    open: open.clone(),
                    at: event.at,
                });
            }
            EventKind::HandoverWithdrawn => self.handover = None,
            EventKind::HandoverTaken { .. } | EventKind::OperatorRelieved { .. } => {
                self.new_operator(&event.actor);
                self.armed = None;
                self.forget_confirmations();
            }
            // Whoever begins it operates it.
            EventKind::RunStarted => self.operator = event.actor.clone(),
            _ => {}
        }
    }

    /// What others approved, they approved for the operator before; and nobody approves their own work.
    pub(super) fn new_operator(&mut self, actor: &Actor) {
        self.operator = actor.clone();
        self.handover = None;
        if !self.hands.contains(&actor.name) {
            self.hands.push(actor.name.clone());
        }
        for record in &mut self.steps {
            record.approvals.clear();
            record.approved = None;
        }
    }

    /// Whether the open question asks for an approval in the name of an operator who has left.
    pub(super) fn asks_for_another(&self) -> bool {
        let Some(QuestionKind::Approval { request, .. }) = self.question.as_ref().map(|question| &question.kind) else {
            return false;
        };
        request.operator != self.operator.name
    }
}

/// Why someone who does not operate the run may not wish this.
pub fn forbids(state: &RunState, actor: &Actor, intent: &Intent) -> Option<String> {
    if actor.name == state.operator.name || state.started_at.is_none() {
        return None;
    }
    match intent {
        Intent::Note { .. }
        | Intent::TakeHandover { .. }
        | Intent::Relieve { .. }
        | Intent::Answer { answer: Answer::Approve { .. }, .. } => None,
        _ => Some(format!(
            "{} operates this run, and you watch: take it by a handover, or relieve them with a reason",
            state.operator
        )),
    }
}

/// What the wish leads to, or why it is refused.
pub fn wish(state: &RunState, actor: &Actor, intent: &Intent) -> Result<EventKind, String> {
    match intent {
        Intent::OfferHandover { to, believed, next } => Ok(EventKind::HandoverOffered {
            to: text_of(to, "say who is to take the run")?,
            believed: text_of(believed, "say what you believe is going on")?,
            next: text_of(next, "say what is to be done next")?,
            open: open_steps(state),
        }),
        Intent::WithdrawHandover if state.handover.is_none() => Err("no handover is offered".to_owned()),
        Intent::WithdrawHandover => Ok(EventKind::HandoverWithdrawn),
        Intent::TakeHandover { read_back } => take(state, actor, read_back),
        Intent::Relieve { .. } if actor.name == state.operator.name => Err("you operate this run already".to_owned()),
        Intent::Relieve { reason } => Ok(EventKind::OperatorRelieved {
            from: state.operator.clone(),
            reason: text_of(reason, "say why you relieve its operator")?,
        }),
        _ => Err("that is not about the run's operator".to_owned()),
    }
}

fn take(state: &RunState, actor: &Actor, read_back: &str) -> Result<EventKind, String> {
    let Some(offer) = &state.handover else { return Err("no handover is offered".to_owned()) };
    // Two people may share an account, never a process.
    if *actor == offer.from {
        return Err("you offered it yourself: someone else must take it, from a console of their own".to_owned());
    }
    let read_back = text_of(read_back, "type the next action as it is written")?;
    if plain(&read_back) != plain(&offer.next) {
        return Err("that is not the next action as it is written: read it again, and type it".to_owned());
    }
    Ok(EventKind::HandoverTaken { from: offer.from.clone(), read_back })
}

/// Letters and digits alone: a read-back is about words, not about commas.
fn plain(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn open_steps(state: &RunState) -> Vec<String> {
    let all = state.plan.steps.iter().zip(&state.steps).filter(|(_, record)| !record.state.is_settled());
    all.map(|(planned, record)| {
        let why = record.why.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        format!("{}: {}{why}", planned.title, record.state)
    })
    .collect()
}
