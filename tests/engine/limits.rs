//! The most that a step may touch: counted before it begins, asked about where it is too much.

use crate::rig::{estate, modules, scenario};
use relight::model::amount::Amount;
use relight::model::task::Values;
use relight::runbook::{Mode, QuestionKind, load};
use std::collections::BTreeMap;

#[test]
fn a_step_that_keeps_to_its_limit_asks_for_itself_and_says_how_much_it_touches() {
    let rig = scenario(
        "steps wipe
        start
        arm                 -> >count:wipe
        count 100           -> >identify-to-ask:wipe
        identity orders     -> ?phrase",
    );
    let question = rig.engine.state().question.clone().unwrap();
    assert!(question.if_yes.contains("It touches 100 objects, 1.00 kB"), "{}", question.if_yes);
    assert!(question.if_yes.contains("its limit is 100 objects, 1.00 GB"), "{}", question.if_yes);
}

#[test]
fn too_much_waits_for_an_amendment_with_a_reason_and_ends_with_an_exception() {
    let mut rig = scenario(
        "steps wipe
        start
        arm
        count 101           -> wipe=blocked ?limit >-
        yes                 -> refused ?limit
        retry               -> refused ?limit
        raise wipe 100objects -> ?limit >-
        raise wipe 500objects -> >identify-to-ask:wipe
        identity orders     -> ?phrase
        phrase              -> >identify-to-act:wipe
        identity orders     -> >run:wipe
        done                -> !completed-with-exceptions",
    );
    let exceptions = &rig.engine.state().exceptions;
    assert!(exceptions[0].text.contains("limit raised from 100 objects, 1.00 GB to 500 objects"), "{exceptions:?}");
    assert_eq!(exceptions.len(), 1, "an amendment that raises nothing is no exception");
    let record = &rig.engine.state().steps[0];
    assert_eq!(record.allowed, Some(Amount { objects: Some(500), bytes: Some(1_000_000_000) }));
    rig.play("raise", "wipe 9objects");
    assert!(rig.refused.is_some());
}

#[test]
fn bytes_count_as_well_and_the_question_tells_both_figures() {
    let rig = scenario("steps wipe\nstart\narm\ncount 5 1000000001 -> ?limit");
    let question = rig.engine.state().question.clone().unwrap();
    assert!(question.title.contains("1.00 GB (1000000001 bytes), and at most"), "{}", question.title);
    let QuestionKind::Limit { counted, limit, may_skip: true } = question.kind else { panic!("{:?}", question.kind) };
    assert_eq!((counted.objects, limit.objects), (Some(5), Some(100)));
}

#[test]
fn what_was_too_much_is_counted_again_or_left_out() {
    scenario(
        "steps wipe check
        start
        arm
        count 101           -> ?limit
        again               -> >count:wipe
        count 7             -> >identify-to-ask:wipe",
    );
    scenario("steps wipe\nstart\narm\ncount 101 -> ?limit\nno -> !paused\nresume -> ?limit");
    scenario("steps wipe\nstart\narm\ncount 101 -> ?limit\nskip not today -> !completed-with-exceptions");
    scenario("steps wipe\nstart\narm\ncount 101 -> ?limit\nabort -> !aborted-clean leftovers=0");
}

#[test]
fn nothing_to_touch_and_what_cannot_be_counted_are_failures() {
    scenario(
        "steps wipe\nstart\narm\ncount 0 -> wipe=failed ?failed\nretry -> >count:wipe\ncount 3 -> >identify-to-ask:wipe",
    );
    scenario("steps wipe\nstart\narm\nfail -> wipe=failed ?failed");
    scenario("steps wipe\nstart\narm\ndone -> wipe=failed ?failed");
    scenario("steps wipe\nstart\narm\ncancelled deadline -> wipe=failed ?failed");
}

#[test]
fn a_count_speaks_of_its_moment() {
    scenario(
        "steps wipe
        start
        arm
        count 5             -> >identify-to-ask:wipe
        identity orders     -> ?phrase
        wait 300
        phrase              -> >count:wipe
        count 101           -> wipe=blocked ?limit >-",
    );
    scenario("steps wipe\nstart\narm\ncount 5 -> >identify-to-ask:wipe\ncrash -> >count:wipe");
    scenario("steps wipe\nstart\narm -> >count:wipe\ncrash -> >count:wipe");
    scenario("steps wipe\nstart\narm -> >count:wipe\npause\ncount 5 -> >- !paused\nwait 200\nresume -> >count:wipe");
}

#[test]
fn a_step_that_does_not_ask_is_held_to_its_limit_too() {
    scenario("steps sweep\nstart\narm -> >count:sweep\ncount 5 -> >run:sweep\ndone -> !completed");
    scenario("steps sweep\nstart\narm\ncount 500 -> ?limit sweep=blocked\nraise sweep 1GB -> refused ?limit");
    scenario("steps sweep\nstart\narm\ncount 500 -> ?limit\nraise sweep 500objects -> >run:sweep");
    scenario("steps sweep fill\nstart\narm\nraise fill 5objects -> refused\nraise nowhere 5objects -> refused");
}

#[test]
fn a_template_must_become_a_figure() {
    let text = crate::rig::RUNBOOK.replace("{{ 10 * 10 }}", "{{ param.db }}");
    let runbook = load::parse("test", "test.toml", &text, &modules()).map_err(|problems| problems.to_string()).unwrap();
    let params = relight::runbook::params::parse(&runbook, &Values::new(), &estate()).unwrap();
    let modules = modules();
    let mut binding =
        relight::runbook::Binding::new(&runbook, &modules, params, Mode::Real, crate::rig::at(0)).unwrap();
    while binding.next_look().unwrap().is_some() {
        binding.answer([("seen".to_owned(), serde_json::json!(1))].into_iter().collect());
    }
    let problems = binding.plan(&estate(), &BTreeMap::new()).unwrap_err().join("\n");
    assert!(problems.contains("step `wipe`, limit:") && problems.contains("no number of objects"), "{problems}");
}
