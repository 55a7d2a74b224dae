//! What a drill owes: written down before the step that makes it starts, struck out once a look found it gone.

use crate::event::{Event, EventKind, Purpose};
use crate::model::task::TaskOutcome;
use crate::runbook::drill::Debt;
use crate::runbook::state::{RunState, StepState};

/// The debt, where `kind` starts a step that makes something and nothing says so yet.
pub fn owed_first(state: &RunState, kind: EventKind) -> EventKind {
    let EventKind::TaskIntended { step, purpose: Purpose::Run, .. } = &kind else { return kind };
    let Some(made) = state.plan.step(step).and_then(|planned| planned.makes.as_ref()) else { return kind };
    if state.debts.iter().any(|debt| &debt.step == step && debt.is_due()) {
        return kind;
    }
    EventKind::DebtIncurred { step: step.clone(), title: made.title.clone() }
}

/// The first debt that a finished look has cleared. A person's word does not clear it.
pub fn settled(state: &RunState) -> Option<EventKind> {
    let seen_gone = |debt: &&Debt| {
        state.plan.steps.iter().zip(&state.steps).any(|(planned, record)| {
            planned.clears.as_ref() == Some(&debt.step)
                && record.state == StepState::Done
                && matches!(record.outcome, Some(TaskOutcome::Done { .. }))
        })
    };
    let debt = state.debts.iter().filter(|debt| debt.is_due()).find(seen_gone)?;
    Some(EventKind::DebtSettled { step: debt.step.clone() })
}

impl RunState {
    pub(super) fn debt_event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::DebtIncurred { step, title } => {
                let debt = Debt { step: step.clone(), title: title.clone(), since: event.at, gone_at: None };
                self.debts.retain(|known| &known.step != step);
                self.debts.push(debt);
            }
            EventKind::DebtSettled { step } => {
                for debt in self.debts.iter_mut().filter(|debt| &debt.step == step && debt.is_due()) {
                    debt.gone_at = Some(event.at);
                }
            }
            _ => {}
        }
    }
}
