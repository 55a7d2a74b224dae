//! Proofs handed from step to step: what rests on one does not start without it.

use crate::rig::{RUNBOOK, modules, scenario};
use relight::event::{EventKind, Purpose};
use relight::runbook::{QuestionKind, load};
use serde_json::json;

#[test]
fn a_proof_lets_the_next_step_start_and_is_handed_to_it() {
    let rig = scenario(
        "steps fence promote
        start
        arm
        identity orders
        phrase
        identity orders
        proof           -> fence=done >identify-to-ask:promote
        identity orders -> ?phrase
        phrase
        identity orders -> >run:promote
        done            -> !completed exceptions=0",
    );
    let asked = rig.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::QuestionAsked { question, .. } => question["if_yes"].as_str().map(str::to_owned),
        _ => None,
    });
    assert!(asked.unwrap().contains("It rests on receipt, given by “Fence the old primary”"));
    let handed = rig.events.iter().find_map(|event| match &event.kind {
        EventKind::TaskIntended { step, purpose: Purpose::Run, task, .. } if step.as_str() == "promote" => {
            Some(task.input["proofs"].clone())
        }
        _ => None,
    });
    assert_eq!(handed.unwrap()["receipt"]["port"], "refused");
}

#[test]
fn a_step_that_owes_a_proof_and_gives_none_is_not_done() {
    scenario(
        "steps fence strict
        start
        arm
        identity orders
        phrase
        identity orders
        done            -> fence=failed ?failed strict=pending
        again           -> >reconcile:fence
        look done       -> fence=failed ?failed
        again
        look proof      -> fence=done >identify-to-ask:strict",
    );
    scenario("steps fence strict\nstart\narm\nidentity orders\nphrase\nidentity orders\nproof empty -> fence=failed");
}

#[test]
fn a_word_is_no_proof_and_the_step_that_gives_it_can_be_sent_for() {
    for word in ["hand pulled the cable", "skip it is dead"] {
        let rig = scenario(&format!(
            "steps fence strict
            start
            arm
            identity orders
            phrase
            identity orders
            fail
            {word}          -> strict=blocked ?proof exceptions=1 >-
            phrase lose it  -> refused ?proof
            yes             -> refused
            crash           -> ?proof
            no              -> !paused
            resume          -> ?proof
            retry           -> >reconcile:fence fence=reconciling strict=pending
            look not-done   -> >identify-to-ask:fence fence=ready
            identity orders
            phrase
            identity orders -> >run:fence
            proof           -> fence=done >identify-to-ask:strict
            identity orders
            phrase
            identity orders
            done            -> !completed-with-exceptions exceptions=1"
        ));
        assert!(rig.events.iter().any(|event| matches!(&event.kind, EventKind::StepBlocked { why, .. }
            if why.contains("receipt (“Fence the old primary” is "))));
    }
}

#[test]
fn what_was_done_by_hand_is_still_named_when_its_proof_was_sent_for() {
    scenario(
        "steps fence strict
        start
        arm
        identity orders
        phrase
        identity orders
        fail
        hand pulled the cable
        retry           -> >reconcile:fence
        abort           -> >reconcile:fence
        look partial    -> !aborted-dirty leftovers=1",
    );
}

/// No attempt of this run is known of it, only what a person said and a look saw.
#[test]
fn what_a_look_found_of_a_step_done_by_hand_is_not_forgotten() {
    let by_hand = "steps fence strict
        start
        arm             -> >identify-to-ask:fence
        fail            -> fence=failed ?failed
        hand pulled the cable
        retry           -> >reconcile:fence";
    scenario(&format!("{by_hand}\nlook done -> fence=failed ?failed\nabort -> !aborted-dirty leftovers=1"));
    scenario(&format!("{by_hand}\nlook unknown -> fence=unknown ?unknown\nabort -> !aborted-dirty leftovers=1"));
    scenario(&format!(
        "{by_hand}
        look done       -> ?failed
        retry           -> >identify-to-ask:fence
        abort
        identity orders -> !aborted-dirty leftovers=1"
    ));
    scenario(&format!(
        "{by_hand}
        look done       -> ?failed
        skip it gives no proof
        retry           -> >reconcile:fence"
    ));
}

#[test]
fn what_was_begun_before_is_looked_at_and_not_done_twice_for_its_proof() {
    for word in ["hand pulled the cable", "skip it is dead"] {
        scenario(&format!(
            "steps fence strict
            start
            arm
            identity orders
            phrase
            identity orders
            fail
            {word}          -> ?proof
            retry           -> >reconcile:fence
            look proof      -> fence=done >identify-to-ask:strict"
        ));
    }
}

#[test]
fn a_declaration_names_the_loss_and_is_an_exception() {
    let rig = scenario(
        "steps fence promote
        start
        arm
        identity orders
        skip nobody answers                 -> promote=blocked ?proof exceptions=1
        phrase lose it                      -> refused ?proof
        phrase lose up to 5 MB of orders    -> >identify-to-ask:promote exceptions=2
        crash                               -> >identify-to-ask:promote
        identity orders                     -> ?phrase
        phrase
        identity orders                     -> >run:promote
        done                                -> !completed-with-exceptions",
    );
    assert_eq!(rig.engine.state().exceptions[1].text, "declared, without receipt: up to 5 MB of orders");
    let refused = rig.events.iter().filter(|e| matches!(&e.kind, EventKind::Answered { refused: Some(_), .. })).count();
    assert_eq!(refused, 1, "a wrong declaration is kept in the journal");
}

#[test]
fn the_question_says_what_is_missing_and_each_way_out() {
    let rig = scenario("steps fence promote\nstart\narm\nidentity orders\nskip it is dead");
    let question = rig.engine.state().question.clone().unwrap();
    let QuestionKind::Proof { missing, loss, from, .. } = &question.kind else { panic!("{question:?}") };
    assert_eq!(
        (missing.as_slice(), from.as_ref().map(relight::model::id::StepId::as_str)),
        (&["receipt".to_owned()][..], Some("fence"))
    );
    assert_eq!(loss.as_deref(), Some("up to 5 MB of orders"));
    assert!(question.if_yes.contains("Retry runs “Fence the old primary”") && question.if_yes.contains("on record"));
}

#[test]
fn mistakes_about_proofs_are_named_with_their_place() {
    let cases = [
        ("proof_in = [\"receipt\"]", "proof_in = [\"receit\"]", "did you mean `receipt`"),
        ("proof_out = \"receipt\"", "", "no earlier step gives the proof `receipt`"),
        ("proof_out = \"receipt\"", "proof_out = \"../x\"", "cannot be an id"),
        ("proof_in = [\"receipt\"]\ndeclare", "declare", "this step asks for none"),
        ("attest = \"", "proof_out = \"x\"\nattest = \"", "a person does this step"),
        ("loss = \"up to 5 MB of {{ param.db }}\", ", "", "lacks `loss`"),
    ];
    for (from, to, wanted) in cases {
        assert!(RUNBOOK.contains(from), "{from}");
        let text = RUNBOOK.replacen(from, to, 1);
        let message = load::parse("test", "test.toml", &text, &modules()).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(wanted) && message.contains("test.toml:"), "wanted `{wanted}` in:\n{message}");
    }
    let looks = RUNBOOK.replacen("use = \"test.look\"\nskip", "use = \"test.look\"\nproof_out = \"seen\"\nskip", 1);
    let message = load::parse("test", "test.toml", &looks, &modules()).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("`test.look` gives no proofs"), "{message}");
}

#[test]
fn a_plan_without_proofs_says_nothing_of_them() {
    let plan = crate::rig::plan(&["make", "swap"], relight::runbook::Mode::Real);
    let text = serde_json::to_string(&plan).unwrap();
    assert!(!text.contains("proof") && !text.contains("declare"), "{text}");
    let proven = crate::rig::plan(&["fence", "promote"], relight::runbook::Mode::Real);
    assert_eq!(json!(proven.steps[1])["declare"]["phrase"], "lose up to 5 MB of orders");
    assert!(proven.steps[1].takes_proofs);
}
