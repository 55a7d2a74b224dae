//! Runs as scripts: what comes in, and where everything must stand then.

use crate::rig::scenario;
use relight::event::EventKind;
use relight::model::task::CancelReason;
use relight::runbook::{Order, QuestionKind};

#[test]
fn a_run_goes_step_by_step_and_completes() {
    let rig = scenario(
        "steps check make fill tell ask
        start wrong     -> refused !ready
        start           -> >run:check check=running make=pending !running
        start           -> refused
        done            -> check=done make=blocked ?arm >- !waiting
        yes             -> refused ?arm
        arm             -> ?key make=awaiting-answer >-
        phrase x        -> refused ?key
        yes             -> >run:make make=running fill=pending ?-
        done            -> make=done ?key fill=awaiting-answer
        yes             -> >run:fill
        done            -> fill=done ?attest tell=awaiting-answer
        value \"\"      -> refused ?attest
        value \"called them\" -> tell=done ?answer
        value \"many\"  -> refused
        value 12        -> ask=done !completed exceptions=0
        yes             -> refused",
    );
    assert!(rig.orders.contains(&Order::Finish));
    assert!(rig.engine.state().human_wait_ms > 0);
}

#[test]
fn an_unarmed_run_changes_nothing_and_disarming_or_expiry_stops_it_again() {
    scenario(
        "steps make plain
        start           -> make=blocked ?arm
        arm 10          -> ?key
        wait 60         -> ?key
        yes             -> make=blocked ?arm >-
        arm             -> ?key
        disarm          -> ?key
        yes             -> ?arm make=blocked >-
        arm             -> ?key
        yes             -> >run:make
        disarm          -> >run:make
        done            -> make=done plain=blocked ?arm
        arm             -> >run:plain ?-",
    );
}

#[test]
fn a_phrase_is_asked_over_the_live_target_and_checked_again_before_the_act() {
    let rig = scenario(
        "steps swap
        start
        arm                 -> >identify-to-ask:swap
        identity orders     -> ?phrase swap=awaiting-answer
        yes                 -> refused ?phrase >-
        phrase swap orders  -> refused ?phrase >-
        phrase              -> >identify-to-act:swap swap=armed ?-
        identity orders     -> >run:swap swap=running
        done                -> !completed exceptions=0",
    );
    let refused = rig.events.iter().filter(|e| matches!(&e.kind, EventKind::Answered { refused: Some(_), .. })).count();
    assert_eq!(refused, 2, "a wrong phrase is kept in the journal");
}

#[test]
fn a_target_that_changed_after_the_question_withdraws_it_and_starts_nothing() {
    let rig = scenario(
        "steps swap
        start
        arm
        identity orders     -> ?phrase
        phrase              -> >identify-to-act:swap
        identity renamed    -> ?drift swap=blocked >-
        late                -> refused ?drift
        accept              -> refused
        accept known        -> >identify-to-ask:swap exceptions=1
        identity renamed    -> ?phrase
        phrase              -> >identify-to-act:swap
        identity renamed    -> >run:swap
        done                -> !completed-with-exceptions",
    );
    assert!(rig.events.iter().any(|e| matches!(&e.kind, EventKind::QuestionWithdrawn { .. })));
    let phrases: Vec<String> = rig
        .events
        .iter()
        .filter_map(|e| match &e.kind {
            EventKind::QuestionAsked { question, .. } => Some(question["kind"]["phrase"].as_str()?.to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(phrases.len(), 2);
    assert_ne!(phrases[0], phrases[1]);
}

#[test]
fn a_target_that_drifted_from_the_plan_asks_first() {
    let rig = scenario(
        "steps swap
        start
        arm
        identity other  -> ?drift swap=blocked
        no              -> !paused ?-
        resume          -> >identify-to-ask:swap
        identity other  -> ?drift
        again           -> >identify-to-ask:swap
        identity orders -> ?phrase",
    );
    let question = rig.engine.state().question.clone().unwrap();
    assert!(matches!(question.kind, QuestionKind::Phrase { phrase } if phrase.starts_with("swap orders ")));
}

#[test]
fn a_target_that_cannot_be_identified_is_a_failure_that_may_be_retried() {
    scenario(
        "steps swap
        start
        arm
        fail            -> ?failed swap=failed
        retry           -> >identify-to-ask:swap
        done            -> ?failed swap=failed
        retry
        identity orders -> ?phrase
        phrase
        cancelled deadline -> ?failed >- swap=failed",
    );
}

#[test]
fn failures_leave_only_through_what_is_allowed() {
    scenario(
        "steps check make
        start
        fail            -> ?failed check=failed
        again           -> refused
        undo            -> refused
        retry           -> >run:check
        fail            -> ?failed
        skip            -> refused
        skip known      -> check=skipped exceptions=1 ?arm
        arm
        yes             -> >run:make
        fail            -> ?failed make=failed
        # not idempotent, and nobody looked: it may not simply run again
        retry           -> refused ?failed
        again           -> >reconcile:make make=reconciling
        look not-done   -> ?failed
        retry           -> ?key make=awaiting-answer
        yes             -> >run:make
        fail            -> ?failed
        hand made it with psql -> make=done-by-hand exceptions=2 !completed-with-exceptions",
    );
}

#[test]
fn a_failed_step_can_be_taken_back_and_tried_again() {
    scenario(
        "steps make
        start
        arm
        yes
        fail            -> ?failed
        undo            -> >undo:make make=compensating
        fail            -> ?failed make=failed
        retry           -> refused
        undo            -> >undo:make
        done            -> ?key make=awaiting-answer
        yes             -> >run:make
        done            -> !completed",
    );
}

#[test]
fn automatic_repeats_are_counted_and_only_where_declared() {
    scenario(
        "steps fill
        start
        arm
        yes             -> >run:fill
        fail            -> >run:fill fill=running
        fail            -> ?failed fill=failed
        retry           -> ?key
        yes             -> >run:fill
        done            -> !completed exceptions=0",
    );
}

#[test]
fn a_time_limit_cancels_and_what_may_have_happened_is_looked_at() {
    let rig = scenario(
        "steps fill make
        start
        arm
        yes
        deadline            -> >run:fill
        cancelled deadline  -> fill=timed-out ?failed
        retry
        yes
        deadline
        unknown             -> >reconcile:fill
        look done           -> fill=done ?key
        yes
        deadline
        cancelled deadline  -> >reconcile:make make=reconciling
        look partial        -> make=failed ?failed
        retry               -> refused",
    );
    assert!(rig.orders.contains(&Order::CancelTask { step: "make".into(), reason: CancelReason::Deadline }));
}

#[test]
fn unknown_is_never_retried_and_leaves_only_through_a_look() {
    scenario(
        "steps make
        start
        arm
        yes
        unknown         -> make=reconciling >reconcile:make
        look unknown    -> make=unknown ?unknown
        retry           -> refused ?unknown
        skip whatever   -> refused
        undo            -> refused
        again           -> >reconcile:make
        look unknown    -> ?unknown
        again
        look done       -> make=done !completed exceptions=0",
    );
}

#[test]
fn a_killed_runner_comes_back_as_interrupted_and_looks_before_it_acts() {
    scenario(
        "steps plain swap
        start
        arm             -> >run:plain
        crash           -> plain=reconciling >reconcile:plain
        crash           -> plain=reconciling >reconcile:plain
        look not-done   -> >run:plain
        crash
        look done       -> plain=done >identify-to-ask:swap
        crash           -> >identify-to-ask:swap
        identity orders -> ?phrase
        crash           -> ?phrase >-
        phrase          -> >identify-to-act:swap
        # the answer is stale by now: it is asked anew
        crash           -> >identify-to-ask:swap
        identity orders -> ?phrase
        phrase
        identity orders -> >run:swap
        crash           -> >reconcile:swap
        look done       -> swap=done !completed exceptions=0",
    );
}

#[test]
fn a_swap_that_was_cut_off_without_effect_asks_for_its_phrase_again() {
    scenario(
        "steps swap
        start
        arm
        identity orders
        phrase
        identity orders -> >run:swap
        shutdown        -> >reconcile:swap
        look not-done   -> >identify-to-ask:swap
        identity orders -> ?phrase >-",
    );
}

#[test]
fn a_pause_starts_nothing_and_lets_the_running_end() {
    scenario(
        "steps check make
        start
        pause           -> !paused >run:check
        pause           -> refused
        done            -> check=done >- ?- make=pending
        wait 100        -> >-
        start           -> !waiting ?arm
        arm             -> ?key
        pause           -> ?- make=ready
        yes             -> refused
        resume          -> ?key
        no              -> !paused make=ready
        resume          -> ?key",
    );
}

#[test]
fn an_abort_stops_takes_back_in_reverse_and_ends_clean() {
    let rig = scenario(
        "steps make swap fill
        start
        arm
        yes
        done                -> >identify-to-ask:swap
        identity orders
        phrase
        identity orders
        done                -> ?key
        yes                 -> >run:fill
        abort undo          -> !aborting >run:fill
        abort undo          -> refused
        resume              -> refused
        cancelled operator  -> >reconcile:fill
        look not-done       -> >undo:swap fill=cancelled
        done                -> >undo:make swap=compensated
        done                -> !aborted-clean leftovers=0 make=compensated",
    );
    assert!(rig.orders.contains(&Order::CancelTask { step: "fill".into(), reason: CancelReason::Operator }));
}

#[test]
fn an_undo_that_failed_stops_the_undoing_of_what_it_built_on() {
    scenario(
        "steps make swap
        start
        arm
        yes
        done
        identity orders
        phrase
        identity orders
        unknown         -> >reconcile:swap
        abort undo      -> >reconcile:swap
        look unknown    -> >undo:swap
        unknown         -> >reconcile-undo:swap
        look partial    -> !aborted-dirty leftovers=2 swap=compensation-failed make=done",
    );
}

#[test]
fn beyond_a_step_without_undo_nothing_is_taken_back() {
    scenario(
        "steps make cut fill
        start
        arm
        yes
        done
        identity orders
        phrase
        identity orders
        done            -> cut=done ?key
        abort undo      -> !aborted-dirty leftovers=2 make=done fill=cancelled",
    );
}

#[test]
fn an_abort_without_undo_names_what_remains_and_one_before_any_change_is_clean() {
    scenario(
        "steps check make\nstart\nabort -> !aborting >run:check\ncancelled operator -> !aborted-clean leftovers=0",
    );
    scenario("steps check make\nabort -> !aborted-clean");
    scenario("steps make fill\nstart\narm\nyes\ndone\nabort -> !aborted-dirty leftovers=1 ?-");
    scenario(
        "steps make\nstart\narm\nyes\ncrash\nabort -> >reconcile:make\nlook unknown -> !aborted-dirty leftovers=1",
    );
}

#[test]
fn an_undo_that_was_cut_off_is_looked_at() {
    scenario(
        "steps make fill
        start
        arm
        yes
        done
        abort undo      -> >undo:make
        crash           -> >reconcile-undo:make
        look not-done   -> >undo:make
        crash           -> >reconcile-undo:make
        look done       -> !aborted-clean leftovers=0",
    );
}

#[test]
fn a_dry_run_looks_and_leaves_everything_else_out() {
    let rig = scenario(
        "steps check make check2 swap dry-run
        start           -> >run:check
        done            -> !completed make=not-run swap=not-run"
            .replace(" check2", "")
            .as_str(),
    );
    assert!(!rig.orders.iter().any(|o| matches!(o, Order::StartTask { task, .. } if task.module != "test.look")));
    scenario("steps make check dry-run\nstart -> check=not-run !completed");
}
