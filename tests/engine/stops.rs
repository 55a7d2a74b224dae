//! Work that is told to stop because a condition was seen: looked at, and then a person decides.

use crate::rig::{RUNBOOK, modules, plan, scenario};
use relight::event::EventKind;
use relight::model::task::CancelReason;
use relight::runbook::{Mode, Order, load};

const BEGUN: &str = "steps guarded check\nstart\narm\nyes -> >run:guarded\n";

#[test]
fn a_met_condition_stops_the_work_and_a_person_decides_about_what_it_left() {
    let rig = scenario(&format!(
        "{BEGUN}
        stop room is 3  -> >run:guarded guarded=running
        stop room is 2  -> >run:guarded
        cancelled condition -> >reconcile:guarded
        look partial    -> guarded=failed ?failed check=pending
        retry           -> refused
        undo            -> >undo:guarded
        done            -> ?key
        yes             -> >run:guarded
        done            -> guarded=done >run:check",
    ));
    let stops = rig.events.iter().filter(|event| matches!(event.kind, EventKind::StopMet { .. })).count();
    assert_eq!(stops, 1, "only the first condition counts");
    assert!(rig.orders.contains(&Order::CancelTask { step: "guarded".into(), reason: CancelReason::Condition }));
    let why = rig.events.iter().find_map(|event| match &event.kind {
        EventKind::StepFailed { why, .. } => Some(why.clone()),
        _ => None,
    });
    assert_eq!(why.unwrap(), "it was told to stop (room is 3); it took effect in part: half of it is there");
}

#[test]
fn work_that_ended_before_it_could_stop_is_decided_about_too() {
    scenario(&format!(
        "{BEGUN}
        stop room is 3
        done            -> guarded=failed ?failed
        again           -> >reconcile:guarded
        look done       -> guarded=done >run:check",
    ));
    scenario(&format!(
        "{BEGUN}
        stop room is 3
        cancelled condition
        look done       -> guarded=failed ?failed
        again
        look done       -> guarded=done",
    ));
}

#[test]
fn work_that_does_not_stop_is_unknown_and_looked_at() {
    scenario(&format!(
        "{BEGUN}
        stop room is 3
        unknown         -> >reconcile:guarded
        look unknown    -> guarded=unknown ?unknown
        retry           -> refused
        again
        look not-done   -> guarded=failed ?failed
        retry           -> ?key",
    ));
}

#[test]
fn a_runner_that_dies_meanwhile_leaves_the_decision_to_a_person() {
    scenario(&format!(
        "{BEGUN}
        stop room is 3
        crash           -> >reconcile:guarded
        crash           -> >reconcile:guarded
        look not-done   -> guarded=failed ?failed",
    ));
}

#[test]
fn an_abort_goes_its_own_way() {
    scenario(&format!(
        "{BEGUN}
        stop room is 3
        abort undo      -> !aborting
        cancelled operator -> >reconcile:guarded
        look not-done   -> !aborted-clean leftovers=0",
    ));
}

#[test]
fn a_plan_holds_what_stops_a_step() {
    let plan = plan(&["guarded"], Mode::Real);
    let watch = plan.steps[0].stop_if.as_ref().unwrap();
    assert_eq!(watch.wanted(), "“Too little room” (test.look: seen is below 1.1), looked at every 5s");
    for (from, to, wanted) in [
        ("when = { seen = { below = \"{{ resolve.seen.seen }}\" } }", "watch_often = true", "watch_often"),
        ("when = { seen = { below = \"{{ resolve.seen.seen }}\" } }", "", "needs `when`"),
        ("retry = 1", "watch_every = \"9s\"", "no [[steps.stop_if]] that is watched"),
        (
            "undo = { use = \"test.unmake\", with = { name = \"guarded\" } }",
            "watch_every = \"1ms\"",
            "between 1s and 10m",
        ),
    ] {
        assert!(RUNBOOK.contains(from), "`{from}`");
        let text = RUNBOOK.replacen(from, to, 1);
        let refused = load::parse("test", "test.toml", &text, &modules()).unwrap_err().to_string();
        assert!(refused.contains(wanted), "wanted `{wanted}` in:\n{refused}");
    }
}
