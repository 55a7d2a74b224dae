//! What must hold of any journal, read without the engine that wrote it.

use relight::event::{Event, EventKind, Purpose};
use relight::model::id::StepId;
use relight::model::task::{CancelReason, Effect, Reality, TaskOutcome};
use relight::model::time::Timestamp;
use relight::runbook::{Confirm, Mode, Plan, PlannedStep};
use std::collections::BTreeSet;

#[derive(Default)]
struct Seen {
    armed_until: Option<Timestamp>,
    /// Steps with an attempt whose end nobody knows.
    unsure: BTreeSet<StepId>,
    in_flight: BTreeSet<(StepId, u32, String)>,
    /// Steps that the run may go past.
    settled: BTreeSet<StepId>,
    over: bool,
}

/// A purpose by its name, which has an order.
fn named(step: &StepId, attempt: u32, purpose: Purpose) -> (StepId, u32, String) {
    (step.clone(), attempt, format!("{purpose:?}"))
}

/// Panics where a promise is broken.
pub fn hold(events: &[Event]) {
    let EventKind::RunCreated { plan, .. } = &events[0].kind else { panic!("no plan") };
    let plan: Plan = serde_json::from_value(plan.clone()).unwrap();
    let mut seen = Seen::default();
    for (index, event) in events.iter().enumerate() {
        assert_eq!(event.seq, index as u64 + 1, "numbers have a gap");
        assert!(!seen.over || is_remark(&event.kind), "an ended run went on: {:?}", event.kind);
        if let EventKind::TaskIntended { step, purpose, .. } = &event.kind {
            may_begin(&seen, &plan, step, *purpose);
        }
        follow(&mut seen, &plan, event);
        if let EventKind::StepDone { step } = &event.kind {
            held(plan.step(step).unwrap(), &events[..index]);
            asked_after_stop(step, &events[..index]);
        }
        // What only reads, and a person did, leaves nothing behind to look for before it is sent for.
        if let EventKind::StepReopened { step, .. } = &event.kind
            && plan.step(step).unwrap().effect == Effect::Observe
        {
            seen.unsure.remove(step);
        }
        if let EventKind::TaskIntended { step, purpose: Purpose::Run, .. } = &event.kind {
            may_run(&seen, plan.step(step).unwrap(), &events[..index], event.at);
            if plan.mode == Mode::DryRun {
                assert_eq!(plan.step(step).unwrap().effect, Effect::Observe, "a dry run changed something");
            } else {
                was_approved(plan.step(step).unwrap(), &events[..index], event.at);
            }
            was_counted(plan.step(step).unwrap(), &events[..index], event.at);
            was_proven(&plan, plan.step(step).unwrap(), &events[..index]);
        }
    }
}

/// What was told to stop is not done before a person was asked.
fn asked_after_stop(step: &StepId, before: &[Event]) {
    let stopped = before.iter().rposition(|e| matches!(&e.kind, EventKind::StopMet { step: s, .. } if s == step));
    let since = stopped.map_or(&[][..], |at| &before[at..]);
    let gone_on = since.iter().any(|e| {
        matches!(&e.kind, EventKind::Answered { step: s, refused: None, .. } if s == step)
            || matches!(e.kind, EventKind::AbortRequested { .. })
    });
    let aborted = before.iter().any(|e| matches!(e.kind, EventKind::AbortRequested { .. }));
    assert!(stopped.is_none() || gone_on || aborted, "{step} was told to stop, and is done without a question");
}

fn is_remark(kind: &EventKind) -> bool {
    matches!(kind, EventKind::NoteAdded { .. } | EventKind::RunnerStarted { .. } | EventKind::RunnerStopped { .. })
}

fn follow(seen: &mut Seen, plan: &Plan, event: &Event) {
    settle(seen, plan, event);
    match &event.kind {
        EventKind::Armed { until, .. } => seen.armed_until = Some(*until),
        EventKind::Disarmed { .. } => seen.armed_until = None,
        EventKind::TaskIntended { step, attempt, purpose, .. } => {
            seen.in_flight.insert(named(step, *attempt, *purpose));
        }
        EventKind::TaskEnded { step, attempt, purpose, outcome } => {
            assert!(seen.in_flight.remove(&named(step, *attempt, *purpose)), "{step} ended, and had not begun");
            let cut_off = TaskOutcome::Cancelled { reason: CancelReason::Shutdown };
            if *purpose == Purpose::Run && (matches!(outcome, TaskOutcome::Unknown { .. }) || outcome == &cut_off) {
                seen.unsure.insert(step.clone());
            }
        }
        EventKind::Reconciled { step, attempt, purpose, reality } => {
            assert!(seen.in_flight.remove(&named(step, *attempt, *purpose)), "{step} ended, and had not begun");
            if *purpose == Purpose::Reconcile && !matches!(reality, Reality::Unknown(_)) {
                seen.unsure.remove(step);
            }
        }
        EventKind::StepInterrupted { step, purpose } => {
            seen.in_flight.retain(|(working, _, _)| working != step);
            if *purpose == Purpose::Run {
                seen.unsure.insert(step.clone());
            }
        }
        EventKind::RunEnded { .. } => seen.over = true,
        _ => {}
    }
}

/// Steps that are settled, by what the journal says of each.
fn settle(seen: &mut Seen, plan: &Plan, event: &Event) {
    match &event.kind {
        EventKind::StepDone { step } | EventKind::StepSkipped { step, .. } | EventKind::StepDoneByHand { step, .. } => {
            seen.settled.insert(step.clone());
        }
        EventKind::StepNotRun { step, .. } => {
            seen.in_flight.retain(|(working, _, _)| working != step);
            seen.settled.insert(step.clone());
        }
        EventKind::StepReopened { step, .. } | EventKind::StepUndone { step } => {
            seen.settled.remove(step);
        }
        EventKind::WentBack { back_to, .. } => {
            let anew = plan.steps.iter().skip_while(|step| &step.id != back_to);
            anew.for_each(|step| {
                seen.settled.remove(&step.id);
            });
        }
        _ => {}
    }
}

/// What waits for others waits; nothing works beside a step that a person decides, that has a target, or that cannot
/// be taken back.
fn may_begin(seen: &Seen, plan: &Plan, step: &StepId, purpose: Purpose) {
    let place = |id: &StepId| plan.steps.iter().position(|planned| &planned.id == id).unwrap();
    let at = place(step);
    let group_of =
        |at: usize| plan.steps[at].group.as_ref().map(|id| plan.groups.iter().find(|g| &g.id == id).unwrap());
    let beside = |at: usize, purpose: &str| {
        let planned = &plan.steps[at];
        planned.group.is_some()
            && planned.effect <= Effect::Costly
            && planned.confirm < Confirm::Phrase
            && planned.target.is_none()
            && planned.approve.is_none()
            && ["Run", "Reconcile", "Verify", "Count"].contains(&purpose)
    };
    let purpose_name = format!("{purpose:?}");
    for (other, _, what) in &seen.in_flight {
        assert_ne!(other, step, "{step} works twice at once");
        assert!(beside(place(other), what) && beside(at, &purpose_name), "{purpose:?} of {step} began beside {other}");
    }
    if purpose != Purpose::Run {
        return;
    }
    let own = group_of(at);
    for earlier in (0..at).filter(|earlier| !seen.settled.contains(&plan.steps[*earlier].id)) {
        let free = match (own, group_of(earlier)) {
            (Some(own), Some(other)) if own.id == other.id => own.parallel > 1 || own.join.is_some(),
            (Some(own), Some(other)) => own.needs.as_ref().is_some_and(|needs| !needs.contains(&other.id)),
            _ => false,
        };
        assert!(free, "{step} began before {} was settled", plan.steps[earlier].id);
    }
    if let Some(own) = own {
        let works = |(other, _, _): &&(StepId, u32, String)| group_of(place(other)).is_some_and(|g| g.id == own.id);
        let working = seen.in_flight.iter().filter(works).count();
        assert!(working < own.parallel as usize, "{working} of {} work, and {step} began", own.id);
    }
}

fn may_run(seen: &Seen, step: &PlannedStep, before: &[Event], at: Timestamp) {
    assert!(!seen.unsure.contains(&step.id), "{} ran again while nobody knew what became of it", step.id);
    let armed = seen.armed_until.is_some_and(|until| until > at);
    assert!(step.effect == Effect::Observe || armed, "{} changed something while read-only", step.id);
    let repeats = matches!(&before.last().unwrap().kind,
        EventKind::TaskEnded { step: s, purpose: Purpose::Run, outcome: TaskOutcome::Failed { .. }, .. } if s == &step.id);
    if repeats {
        assert!(step.idempotent && step.retry > 0 && step.confirm < Confirm::Phrase, "{} was repeated", step.id);
    } else if step.confirm > Confirm::None {
        was_confirmed(step, before, at);
    }
}

/// What must hold after the step was seen to hold, last of all that was done and seen about it.
fn held(step: &PlannedStep, before: &[Event]) {
    let last = before.iter().rev().find_map(|event| match &event.kind {
        EventKind::TaskIntended { step: s, .. } if s == &step.id => Some(false),
        EventKind::TaskEnded { step: s, purpose, outcome, .. } if s == &step.id => {
            Some(*purpose == Purpose::Verify && matches!(outcome, TaskOutcome::Done { .. }))
        }
        _ => None,
    });
    assert!(step.post.is_none() || last == Some(true), "{} is done, and its probes did not hold", step.id);
}

/// Enough people signed the request that was put last, none of them the operator, and in time.
fn was_approved(step: &PlannedStep, before: &[Event], at: Timestamp) {
    let Some(wanted) = &step.approve else { return };
    let (number, question) = before
        .iter()
        .rev()
        .find_map(|e| match &e.kind {
            EventKind::QuestionAsked { step: s, number, question }
                if s == &step.id && question["kind"]["kind"] == "approval" =>
            {
                Some((*number, question))
            }
            _ => None,
        })
        .expect("it ran without asking for its approval");
    let expires: Timestamp = serde_json::from_value(question["kind"]["request"]["expires"].clone()).unwrap();
    let by: BTreeSet<&String> = before
        .iter()
        .filter_map(|e| match &e.kind {
            EventKind::ApprovalGiven { number: n, approver, .. } if *n == number => Some(approver),
            _ => None,
        })
        .collect();
    assert!(
        by.len() >= wanted.quorum as usize && !by.iter().any(|name| *name == "ada"),
        "{} approved by {by:?}",
        step.id
    );
    assert!(at < expires, "{} ran after its approval had run out", step.id);
}

/// What it touches was counted a moment ago, and keeps to the limit that was in force then.
fn was_counted(step: &PlannedStep, before: &[Event], at: Timestamp) {
    let Some(planned) = step.limit else { return };
    let amended = before.iter().rev().find_map(|e| match &e.kind {
        EventKind::LimitAmended { step: s, after, .. } if s == &step.id => Some(*after),
        _ => None,
    });
    let began = before.iter().rposition(
        |e| matches!(&e.kind, EventKind::TaskIntended { step: s, purpose: Purpose::Run, .. } if s == &step.id),
    );
    let counted = before[began.unwrap_or(0)..].iter().rev().find_map(|e| match &e.kind {
        EventKind::AmountCounted { step: s, counted } if s == &step.id => Some((*counted, e.at)),
        _ => None,
    });
    let (counted, then) = counted.expect("it started, and nobody had counted what it touches");
    assert!((at - then).num_seconds() <= 120, "{} started on a count of long ago", step.id);
    assert!(counted.over(&amended.unwrap_or(planned)).is_empty(), "{} started on {counted}", step.id);
    assert_ne!(counted.objects, Some(0), "{} started on nothing", step.id);
}

/// Every proof that the step needs was given by a step that stands, or its absence declared.
fn was_proven(plan: &Plan, step: &PlannedStep, before: &[Event]) {
    for name in &step.proof_in {
        let declared = before.iter().any(|e| {
            matches!(&e.kind, EventKind::ProofDeclared { step: s, missing, .. } if s == &step.id && missing.contains(name))
        });
        let given = plan.steps.iter().filter(|s| s.proof_out.as_ref() == Some(name)).any(|giver| {
            let about = |e: &&Event| serde_json::to_value(&e.kind).unwrap()["step"] == giver.id.as_str();
            let says = |e: &Event| {
                // Probes say whether what the work gave stands; they give nothing themselves.
                if matches!(e.kind, EventKind::TaskEnded { purpose: Purpose::Verify, .. }) {
                    return None;
                }
                let value = serde_json::to_value(&e.kind).unwrap();
                ["outcome", "reality"].iter().find_map(|at| {
                    let detail = value.get(*at)?;
                    let output = detail.get("output").or_else(|| detail.get("detail"))?;
                    Some(output["proofs"][name.as_str()].as_object().is_some_and(|fields| !fields.is_empty()))
                })
            };
            let last = before.iter().rev().filter(about).find_map(|e| match &e.kind {
                EventKind::StepDone { .. } => Some(true),
                EventKind::StepUndone { .. } | EventKind::StepSkipped { .. } | EventKind::StepDoneByHand { .. } => {
                    Some(false)
                }
                _ => None,
            });
            last == Some(true) && before.iter().rev().filter(about).find_map(says) == Some(true)
        });
        assert!(declared || given, "{} started without the proof `{name}`", step.id);
    }
}

/// The last question of the step was answered with yes, nothing about it came between, and where it has a target this
/// was read after the answer.
fn was_confirmed(step: &PlannedStep, before: &[Event], at: Timestamp) {
    // Steps that work beside others may be asked about in between.
    let beside = step.group.is_some();
    let about_it = |e: &Event| matches!(&e.kind, EventKind::QuestionAsked { step: s, .. } if !beside || s == &step.id);
    let asked = before.iter().rposition(about_it).unwrap();
    let EventKind::QuestionAsked { step: about, number, question } = &before[asked].kind else { unreachable!() };
    assert_eq!(about, &step.id, "the last question was about another step");
    let wanted = if step.confirm == Confirm::Phrase { "phrase" } else { "key" };
    assert_eq!(question["kind"]["kind"], wanted);
    let yes = before[asked..].iter().position(|e| {
        matches!(&e.kind, EventKind::Answered { number: n, refused: None, answer, .. }
            if n == number && (answer["answer"] == "yes" || answer["answer"] == "phrase"))
    });
    let yes = asked + yes.expect("it ran without a yes to its question");
    assert!((at - before[yes].at).num_seconds() <= 120, "a yes of long ago started it");
    let after = &before[yes..];
    let stood_still = |e: &Event| match &e.kind {
        EventKind::RunnerStarted { .. } | EventKind::Resumed => true,
        EventKind::QuestionWithdrawn { number: withdrawn, .. } => !beside || withdrawn == number,
        _ => false,
    };
    assert!(!after.iter().any(stood_still), "a yes from before a stand-still started it");
    let read = after.iter().any(|e| {
        matches!(&e.kind, EventKind::IdentityRead { step: s, identity, .. }
            if s == &step.id && (at - identity.read_at).num_seconds() <= 10)
    });
    assert!(step.target.is_none() || read, "its target was not read after the answer");
}
