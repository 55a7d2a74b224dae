//! Whatever comes in, in whatever order: replay equals the live state (the rig checks it after every
//! input), nothing runs without its intent, nothing unknown is retried.

use crate::promises;
use crate::rig::{Rig, intended, plan};
use crate::standing_still::{cut, lead_to_the_end};
use proptest::prelude::*;
use relight::event::{EventKind, Purpose};
use relight::runbook::{Mode, Order, StepState};

const WORDS: [(&str, &str); 50] = [
    ("start", ""),
    ("arm", ""),
    ("arm", "5"),
    ("disarm", ""),
    ("wait", "10"),
    ("pause", ""),
    ("resume", ""),
    ("abort", ""),
    ("abort", "undo"),
    ("yes", ""),
    ("yes", ""),
    ("no", ""),
    ("phrase", ""),
    ("phrase", "nonsense"),
    ("value", "3"),
    ("retry", ""),
    ("skip", "why"),
    ("hand", "did it"),
    ("accept", "fine"),
    ("again", ""),
    ("undo", ""),
    ("done", ""),
    ("done", ""),
    ("proof", ""),
    ("proof", "empty"),
    ("approve", "grace"),
    ("approve", "linus"),
    ("approve", "ada"),
    ("identity", "orders"),
    ("identity", "orders"),
    ("identity", "other"),
    ("count", "50"),
    ("count", "200"),
    ("raise", "wipe 300objects"),
    ("raise", "sweep 300objects"),
    ("fail", ""),
    ("unknown", ""),
    ("cancelled", "deadline"),
    ("stop", "no room"),
    ("look", "done"),
    ("look", "proof"),
    ("look", "not-done"),
    ("look", "unknown"),
    ("look", "partial"),
    ("crash", ""),
    ("another", "other"),
    ("another", "orders"),
    ("postpone", "9000"),
    ("limit", "fill 30"),
    ("limit", "risky 90"),
];

/// Words that make sense now: an end fits the task in flight, an answer needs a question.
fn fits(rig: &Rig, word: &str) -> bool {
    let state = rig.engine.state();
    let purpose = state.working.first().map(|w| w.purpose);
    let looks = matches!(purpose, Some(Purpose::Reconcile | Purpose::ReconcileUndo));
    match word {
        "look" => looks,
        "stop" => purpose.is_some(),
        "count" => purpose == Some(Purpose::Count),
        "done" | "proof" | "identity" | "fail" | "unknown" | "cancelled" => purpose.is_some() && !looks,
        "phrase" => state.question.is_some(),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_order_of_inputs_keeps_the_promises(words in prop::collection::vec(0..WORDS.len(), 1..50)) {
        let mut rig = Rig::new(&plan(&["plain", "make", "keep", "fence", "swap", "fill", "steady", "guarded", "wipe", "sweep", "promote", "said", "risky", "tell"], Mode::Real));
        rig.play("start", "");
        for index in words {
            let (word, rest) = WORDS[index];
            if !fits(&rig, word) {
                continue;
            }
            let before = rig.engine.state().clone();
            let from = rig.events.len();
            rig.orders.clear();
            rig.play(word, rest);
            for order in &rig.orders {
                if let Order::StartTask { step, attempt, purpose, .. } = order {
                    prop_assert!(intended(&rig.events[from..], step, *attempt, *purpose));
                }
            }
            for event in &rig.events[from..] {
                let EventKind::TaskIntended { step, purpose: Purpose::Run, .. } = &event.kind else { continue };
                let state = before.step(step).unwrap().state;
                let known = rig.events[from..].iter().any(|e| matches!(&e.kind, EventKind::Reconciled { step: s, .. } if s == step));
                let unsure = matches!(state, StepState::Unknown | StepState::Interrupted | StepState::Reconciling);
                prop_assert!(!unsure || known, "an unknown step ran again without a look");
                let changes = rig.engine.state().plan.step(step).unwrap().effect != relight::model::task::Effect::Observe;
                prop_assert!(!changes || rig.engine.state().is_armed(event.at), "a change ran unarmed");
            }
            let state = rig.engine.state();
            let stuck = state.is_idle() && state.question.is_none() && state.paused.is_none();
            prop_assert!(!stuck || state.status.is_over(), "the run waits for nothing and nobody: {:?}", state.steps);
        }
        promises::hold(&rig.events);
        ends_as_it_ended(&mut cut(&rig, rig.events.len()));
        let mut aborted = cut(&rig, rig.events.len());
        aborted.play("abort", "undo");
        lead_to_the_end(&mut aborted);
        promises::hold(&aborted.events);
    }
}

/// There is a way to the end, and from there nothing changes any more.
fn ends_as_it_ended(rig: &mut Rig) {
    lead_to_the_end(rig);
    let ended = rig.engine.state().clone();
    for (word, rest) in WORDS {
        if fits(rig, word) && word != "wait" {
            rig.play(word, rest);
        }
    }
    let state = rig.engine.state();
    assert_eq!((&state.status, &state.steps, &state.leftovers), (&ended.status, &ended.steps, &ended.leftovers));
    assert_eq!((&state.exceptions, state.ended_at), (&ended.exceptions, ended.ended_at));
    promises::hold(&rig.events);
}
