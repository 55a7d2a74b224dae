//! What must hold after a step: it is done only when that was seen.

use crate::rig::{RUNBOOK, modules, plan, scenario};
use relight::event::{EventKind, Purpose};
use relight::model::task::TaskOutcome;
use relight::runbook::probe::Compare;
use relight::runbook::{Mode, load};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_step_is_done_only_when_its_probes_hold() {
    let rig = scenario(
        "steps steady check
        start
        arm
        yes             -> >run:steady
        done            -> steady=verifying >verify:steady check=pending
        done            -> steady=done >run:check",
    );
    let record = rig.engine.state().step(&"steady".into()).unwrap();
    assert!(matches!(record.outcome, Some(TaskOutcome::Done { .. })));
}

#[test]
fn what_does_not_hold_is_failed_and_is_not_simply_run_again() {
    let rig = scenario(
        "steps steady
        start
        arm
        yes
        done            -> >verify:steady
        fail            -> steady=failed ?failed
        retry           -> refused
        again           -> >reconcile:steady
        look done       -> >verify:steady steady=verifying
        fail            -> ?failed
        undo            -> >undo:steady
        done            -> steady=awaiting-answer ?key
        yes             -> >run:steady
        done            -> >verify:steady
        done            -> !completed exceptions=0",
    );
    let asked = rig.events.iter().find_map(|event| match &event.kind {
        EventKind::QuestionAsked { question, .. } if question["kind"]["kind"] == "failed" => Some(question.clone()),
        _ => None,
    });
    assert!(asked.unwrap()["title"].as_str().unwrap().contains("it took effect, and that does not hold: it broke"));
}

#[test]
fn what_cannot_be_looked_at_is_unknown_and_looked_at_again_only_when_asked() {
    let rig = scenario(
        "steps steady
        start
        arm
        yes
        done
        unknown         -> steady=unknown ?unknown >-
        retry           -> refused
        skip bored      -> refused
        again           -> >reconcile:steady
        look done       -> >verify:steady
        cancelled deadline -> steady=unknown ?unknown
        again
        look not-done   -> steady=failed ?failed
        retry           -> ?key",
    );
    let unknown = rig.events.iter().find_map(|event| match &event.kind {
        EventKind::QuestionAsked { question, .. } if question["kind"]["kind"] == "unknown" => Some(question.clone()),
        _ => None,
    });
    assert!(unknown.unwrap()["title"].as_str().unwrap().contains("took effect, and nobody knows whether that holds"));
}

#[test]
fn a_wait_that_is_cut_off_begins_anew() {
    scenario(
        "steps steady
        start
        arm
        yes
        done            -> >verify:steady
        crash           -> >verify:steady steady=verifying
        shutdown        -> >verify:steady
        pause           -> >verify:steady
        crash           -> >- !paused steady=verifying
        resume          -> >verify:steady
        done            -> !completed",
    );
}

#[test]
fn an_abort_ends_the_wait_and_takes_back_what_was_done() {
    scenario(
        "steps steady
        start
        arm
        yes
        done            -> >verify:steady
        abort undo      -> >verify:steady !aborting
        cancelled operator -> >undo:steady
        done            -> steady=compensated !aborted-clean leftovers=0",
    );
    scenario(
        "steps steady
        start
        arm
        yes
        done
        abort           -> !aborting
        unknown         -> steady=failed !aborted-dirty leftovers=1",
    );
    scenario(
        "steps steady
        start
        arm
        yes
        abort           -> >run:steady
        done            -> steady=failed !aborted-dirty leftovers=1",
    );
    scenario("steps steady\nstart\narm\nyes\ndone\npause\ncrash -> >-\nabort -> steady=failed !aborted-dirty");
}

#[test]
fn a_persons_word_is_held_against_the_world() {
    let rig = scenario(
        "steps said check
        start           -> ?attest
        value \"did it\" -> >verify:said said=verifying
        fail            -> said=failed ?failed
        again           -> >verify:said
        unknown         -> said=unknown ?unknown
        again           -> >verify:said
        crash           -> >verify:said
        fail            -> ?failed
        retry           -> ?attest
        value \"now\"   -> >verify:said
        done            -> said=done >run:check",
    );
    let record = rig.engine.state().step(&"said".into()).unwrap();
    let Some(TaskOutcome::Done { output }) = &record.outcome else { panic!("{record:?}") };
    assert_eq!(output["note"], "now");
}

#[test]
fn what_a_look_found_done_is_probed_too() {
    scenario(
        "steps steady
        start
        arm
        yes             -> >run:steady
        crash           -> >reconcile:steady
        look done       -> >verify:steady
        done            -> !completed",
    );
}

#[test]
fn the_intent_says_all_that_is_looked_at() {
    let rig = scenario("steps steady\nstart\narm\nyes\ndone");
    let task = rig.events.iter().find_map(|event| match &event.kind {
        EventKind::TaskIntended { purpose: Purpose::Verify, task, .. } => Some(task.clone()),
        _ => None,
    });
    let task = task.unwrap();
    assert_eq!(task.module, "probes");
    assert_eq!((&task.input["stable_for"], &task.input["within"]), (&json!(20), &json!(60)));
    let probe = &task.input["probes"][0];
    assert_eq!((&probe["title"], &probe["task"]["module"]), (&json!("It stands"), &json!("test.look")));
    assert_eq!(probe["conditions"], json!([{ "output": "seen", "compare": "at-least", "value": 1.1 }]));
}

#[test]
fn a_plan_holds_the_probes_with_their_values() {
    let plan = plan(&["steady", "check"], Mode::Real);
    let post = plan.steps[0].post.clone().unwrap();
    assert_eq!((post.stable_for, post.within), (Duration::from_secs(20), Duration::from_mins(1)));
    assert_eq!(post.probes[0].conditions[0].compare, Compare::AtLeast);
    assert_eq!(post.wanted(), "“It stands” (test.look: seen is at least 1.1) for 20s on end, within 1m");
    let text = serde_json::to_string(&plan.steps[1]).unwrap();
    assert!(!text.contains("post"), "a step without probes is written as ever: {text}");
}

#[test]
fn mistakes_in_probes_are_named_with_their_place() {
    let cases = [
        ("expect = { seen = {", "expect = { sean = {", "did you mean `seen`"),
        ("at_least = \"{{ resolve.seen.seen }}\"", "atleast = 3", "did you mean `at_least`"),
        ("at_least = \"{{ resolve.seen.seen }}\"", "at_least = 3, is = 4", "exactly one comparison"),
        ("at_least = \"{{ resolve.seen.seen }}\"", "at_least = \"many\"", "no number and no size"),
        ("at_least = \"{{ resolve.seen.seen }}\"", "at_least = \"{{ resolve.sen }}\"", "no earlier look `sen`"),
        ("holds_within = \"1m\"", "holds_within = \"soon\"", "be a duration"),
        (
            "title = \"It stands\"\nuse = \"test.look\"",
            "title = \"It stands\"\nuse = \"test.fill\"",
            "a probe only reads",
        ),
        ("title = \"It stands\"\n", "", "lacks `title`"),
        ("retry = 1", "stable_for = \"5s\"", "no [[steps.post]] that must hold"),
    ];
    for (from, to, wanted) in cases {
        assert!(RUNBOOK.contains(from), "`{from}`");
        let text = RUNBOOK.replacen(from, to, 1);
        let refused = load::parse("test", "test.toml", &text, &modules()).unwrap_err().to_string();
        assert!(refused.contains(wanted) && refused.contains("test.toml:"), "wanted `{wanted}` in:\n{refused}");
    }
}
