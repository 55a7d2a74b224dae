//! What a step needs next so that it can run, or be decided about.

use super::advance::At;
use super::{approval, ask, identity, limit, proof};
use crate::event::{EventKind, Purpose};
use crate::runbook::definition::Confirm;
use crate::runbook::plan::{Mode, PlannedAction};
use crate::runbook::state::{QuestionKind, StepState};

pub fn next(at: At<'_>) -> Option<EventKind> {
    if let Some(look) = at.look_after_takeover() {
        return Some(look);
    }
    match at.record.state {
        StepState::Pending => {
            let comes = || at.becomes_provisional().unwrap_or(EventKind::StepReady { step: at.step() });
            Some(left_out(at).unwrap_or_else(comes))
        }
        StepState::Ready | StepState::Blocked | StepState::AwaitingAnswer | StepState::AwaitingApproval => prepare(at),
        StepState::Armed => act(at),
        // A task that could not be stopped in time may have gone on: only one that may be repeated is
        // simply failed.
        StepState::TimedOut if !at.planned.idempotent && !at.record.notes.looked => at.intend(Purpose::Reconcile),
        StepState::Failed | StepState::TimedOut => Some(ask::failed(at)),
        StepState::Verifying => at.intend(Purpose::Verify),
        StepState::Interrupted | StepState::Reconciling => at.intend(Purpose::Reconcile),
        StepState::Unknown if !at.record.notes.looked => at.intend(Purpose::Reconcile),
        StepState::Unknown => Some(ask::unknown(at)),
        StepState::Compensating => {
            at.intend(if at.record.notes.undo_cut_off { Purpose::ReconcileUndo } else { Purpose::Undo })
        }
        StepState::Running => Some(at.unknown("it ran, and no end of it was recorded")),
        _ => None,
    }
}

/// What the plan says, and in a dry run steps that change something and those that look at what such steps
/// would have made.
fn left_out(at: At<'_>) -> Option<EventKind> {
    if let Some(why) = &at.planned.omitted {
        return Some(EventKind::StepNotRun { step: at.step(), why: why.clone() });
    }
    if at.state.plan.mode != Mode::DryRun {
        return None;
    }
    let why = if at.changes() {
        "a dry run changes nothing"
    } else if at
        .state
        .walk(at.now)
        .any(|at| at.changes() && at.record.state == StepState::NotRun && at.planned.omitted.is_none())
    {
        "what it looks at would have been made by a step that the dry run left out"
    } else {
        return None;
    };
    Some(EventKind::StepNotRun { step: at.step(), why: why.to_owned() })
}

/// `Some` while the run is read-only and the step would change something.
fn read_only(at: At<'_>) -> Option<EventKind> {
    if !at.changes() || at.state.is_armed(at.now.at) {
        return None;
    }
    let why = match &at.state.armed {
        Some(armed) => format!(
            "read-only: the run was armed until {}; this step changes something ({})",
            armed.until.format("%H:%M:%S UTC"),
            at.planned.effect
        ),
        None => format!("read-only: the run is not armed; this step changes something ({})", at.planned.effect),
    };
    Some(blocked_then(at, why, || ask::arm(at)))
}

/// First the block with its reason, then the question about it.
pub fn blocked_then(at: At<'_>, why: String, ask: impl FnOnce() -> EventKind) -> EventKind {
    if at.record.state == StepState::Blocked && at.record.why.as_deref() == Some(why.as_str()) {
        ask()
    } else {
        EventKind::StepBlocked { step: at.step(), why }
    }
}

fn prepare(at: At<'_>) -> Option<EventKind> {
    if let Some(kind) = read_only(at) {
        return Some(kind);
    }
    // Before others approve: whoever raises a limit asks them anew.
    let limited = || limit::exceeded(at);
    if let Some(kind) = proof::missing(at).or_else(limited).or_else(|| approval::missing(at)) {
        return Some(kind);
    }
    match &at.planned.action {
        PlannedAction::Question { prompt, answer } => {
            let kind = QuestionKind::Answer { prompt: prompt.clone(), answer: *answer };
            return Some(ask::person(at, kind));
        }
        PlannedAction::Attest { prompt } => {
            return Some(ask::person(at, QuestionKind::Attest { prompt: prompt.clone() }));
        }
        PlannedAction::Task(_) => {}
    }
    if at.planned.target.is_some() {
        if !at.record.notes.fresh || at.is_stale() {
            return at.intend(Purpose::IdentifyToAsk);
        }
        let drift = identity::drift(at);
        if !drift.is_empty() {
            let facts: Vec<&str> = drift.iter().map(|(fact, _, _)| fact.as_str()).collect();
            let why = format!("the target is not what the plan saw: {}", facts.join(", "));
            return Some(blocked_then(at, why, || ask::drift(at, &drift)));
        }
    }
    Some(match at.planned.confirm {
        Confirm::None => EventKind::StepConfirmed { step: at.step() },
        Confirm::Key => ask::confirm(at, QuestionKind::Key),
        Confirm::Phrase => match identity::phrase(at) {
            Ok(phrase) => ask::confirm(at, QuestionKind::Phrase { phrase }),
            Err(why) => at.failed(why),
        },
    })
}

/// Confirmed: start it, unless time or the target moved on meanwhile.
fn act(at: At<'_>) -> Option<EventKind> {
    if let Some(kind) = read_only(at) {
        return Some(kind);
    }
    if at.yes_is_late() || !at.is_approved() {
        return Some(EventKind::StepReady { step: at.step() });
    }
    if let Some(kind) = limit::exceeded(at) {
        return Some(kind);
    }
    at.intend(if at.record.notes.verified && !at.is_stale() { Purpose::Run } else { Purpose::IdentifyToAct })
}
