//! The commit point: recovered and not committed, another point, the way back, and what lies beyond.

use crate::rig::{Rig, plan, plan_of, scenario};
use crate::standing_still::{cut, lead_to_the_end};
use relight::event::EventKind;
use relight::model::id::StepId;
use relight::runbook::commit::successor;
use relight::runbook::{Intent, Mode, RunStatus};

/// A change of a plan that nobody may make.
type Alter = fn(&mut relight::runbook::Plan);

const STEPS: [&str; 4] = ["plain", "make", "keep", "tell"];
/// Up to the question of the commit.
const UP_TO_COMMIT: &str = "steps plain make keep tell
    start
    arm 9000
    done
    yes
    done                -> >identify-to-ask:keep !provisional
    identity orders     -> ?phrase !provisional";

#[test]
fn a_run_is_provisional_until_its_commit_begins_and_committed_once_it_is_done() {
    let mut rig = scenario(UP_TO_COMMIT);
    let asked = rig.engine.state().question.clone().unwrap();
    assert!(asked.if_yes.contains("It commits") && asked.if_no.contains("another point"), "{asked:?}");
    assert!(asked.if_nothing.contains("that alarms"), "{asked:?}");
    for (word, rest, claim) in
        [("phrase", "", ">identify-to-act:keep"), ("identity", "orders", ">run:keep"), ("done", "", "keep=done")]
    {
        rig.play(word, rest);
        rig.holds(claim).unwrap();
    }
    let state = rig.engine.state();
    assert!(state.committed_at().is_some() && state.is_beyond_return(&StepId::from("make")));
    assert!(!state.is_beyond_return(&StepId::from("tell")));
    rig.play("abort", "undo");
    for claim in ["!aborted-dirty", "leftovers=3", ">-"] {
        rig.holds(claim).unwrap();
    }
    assert!(rig.engine.state().leftovers[2].contains("is committed"), "{:?}", rig.engine.state().leftovers);
}

#[test]
fn rolling_back_takes_everything_back_that_can_be() {
    let mut rig = scenario(UP_TO_COMMIT);
    rig.play("abort", "undo");
    rig.holds(">undo:make").unwrap();
    rig.play("done", "");
    // What the first step makes has no undo.
    rig.holds("leftovers=1").unwrap();
}

#[test]
fn the_time_to_decide_alarms_once_and_never_commits() {
    let mut rig = scenario(UP_TO_COMMIT);
    let due = rig.engine.state().due_at().unwrap();
    rig.play("wait", "3000");
    assert!(rig.engine.state().overdue(crate::rig::at(rig.seconds)).is_none());
    rig.play("wait", "7000");
    let alarms = |rig: &Rig| rig.events.iter().filter(|e| matches!(e.kind, EventKind::DecisionOverdue { .. })).count();
    assert_eq!((alarms(&rig), rig.engine.state().due_at()), (1, None));
    assert!(crate::rig::at(rig.seconds) > due);
    rig.play("wait", "7000");
    rig.play("crash", "");
    assert_eq!(alarms(&rig), 1);
    assert!(rig.engine.state().is_provisional());
    assert!(rig.engine.state().overdue(crate::rig::at(rig.seconds)).is_some());
}

#[test]
fn another_point_takes_back_by_the_old_plan_and_goes_on_by_the_new_one() {
    let mut rig = scenario(UP_TO_COMMIT);
    let old = rig.engine.state().plan.clone();
    rig.play("another", "other");
    assert_eq!(rig.refused, None);
    let task = |rig: &Rig| match &rig.events.last().unwrap().kind {
        EventKind::TaskIntended { task, .. } => task.clone(),
        other => panic!("{other:?}"),
    };
    rig.holds(">undo:make").unwrap();
    assert_eq!(Some(task(&rig)), old.steps[1].undo);
    rig.play("done", "");
    for claim in ["make=awaiting-answer", "?key", "keep=pending", "plain=done"] {
        rig.holds(claim).unwrap();
    }
    let state = rig.engine.state();
    assert_eq!((state.plan.params["db"].as_str(), state.provisional.as_ref()), (Some("other"), None));
    assert_eq!(state.amendments[0].changes[0].words(), "db: orders -> other");
    rig.play("yes", "");
    assert!(task(&rig).input["name"].as_str().unwrap().starts_with("other_"));
    rig.play("done", "");
    rig.play("identity", "orders");
    rig.holds("!provisional").unwrap();
    lead_to_the_end(&mut rig);
    assert_eq!(rig.engine.state().status, RunStatus::Completed);
    crate::promises::hold(&rig.events);
}

#[test]
fn a_crash_after_any_event_of_the_way_back_still_leads_there() {
    let mut whole = scenario(UP_TO_COMMIT);
    let from = whole.events.len();
    whole.play("another", "other");
    whole.play("done", "");
    for count in from..=whole.events.len() {
        let mut rig = cut(&whole, count);
        rig.play("crash", "");
        lead_to_the_end(&mut rig);
        let state = rig.engine.state();
        assert_eq!(state.status, RunStatus::Completed, "after entry {count}");
        let chosen = count > from;
        assert_eq!(state.plan.params["db"].as_str(), Some(if chosen { "other" } else { "orders" }), "{count}");
        crate::promises::hold(&rig.events);
    }
}

#[test]
fn an_undo_that_fails_on_the_way_back_is_decided_by_a_person() {
    let mut rig = scenario(UP_TO_COMMIT);
    for (word, rest, claim) in [
        ("another", "other", ">undo:make"),
        ("fail", "", "?failed"),
        ("undo", "", ">undo:make"),
        ("unknown", "", ">reconcile-undo:make"),
        ("look", "not-done", "?failed"),
        ("again", "", ">reconcile:make"),
        ("look", "partial", "?failed"),
        ("hand", "dropped it", "exceptions=1"),
    ] {
        rig.play(word, rest);
        assert_eq!(rig.holds(claim), Ok(()), "at {word} {rest}");
    }
    rig.holds("?key").unwrap();
    lead_to_the_end(&mut rig);
    assert_eq!(rig.engine.state().status, RunStatus::CompletedWithExceptions);
}

#[test]
fn on_the_way_back_a_run_can_be_aborted_and_read_only_time_holds_it() {
    let mut rig = scenario(UP_TO_COMMIT);
    rig.play("disarm", "");
    rig.play("another", "other");
    assert!(rig.refused.as_deref().is_some_and(|why| why.contains("read-only")), "{:?}", rig.refused);
    rig.play("arm", "60");
    rig.play("another", "other");
    rig.play("wait", "100");
    rig.play("fail", "");
    rig.play("again", "");
    rig.play("look", "done");
    rig.play("undo", "");
    rig.holds("refused").unwrap();
    rig.play("abort", "undo");
    lead_to_the_end(&mut rig);
    assert_eq!(rig.engine.state().plan.params["db"].as_str(), Some("orders"));
}

#[test]
fn only_a_plan_that_differs_where_the_runbook_says_takes_the_place_of_another() {
    let now = plan(&STEPS, Mode::Real);
    let refused = |next: &relight::runbook::Plan| successor(&now, next).unwrap_err();
    assert!(refused(&now).contains("another value of db"));
    let other = plan_of(&STEPS, Mode::Real, "other");
    assert_eq!(successor(&now, &other).unwrap().len(), 1);
    let mut forged = other.clone();
    forged.steps[1].title.push('!');
    assert!(refused(&forged).contains("digest"));
    let altered: [(Alter, &str); 7] = [
        (|plan| plan.steps[0].title.push('!'), "done in another way"),
        (|plan| plan.lock_scope.push("more".into()), "another lock"),
        (|plan| plan.mode = Mode::Drill, "another mode"),
        (|plan| plan.steps[1].undo = None, "no undo"),
        (|plan| drop(plan.steps.pop()), "list of steps"),
        (|plan| plan.approvers.clear(), "another approvers"),
        (|plan| drop(plan.params.insert("more".into(), "x".into())), "another value"),
    ];
    for (alter, wanted) in altered {
        let mut next = other.clone();
        alter(&mut next);
        next.digest = next.compute_digest();
        assert!(refused(&next).contains(wanted), "wanted {wanted}: {}", refused(&next));
    }
    // A step before the way back would have been done otherwise.
    let (checked, next) = (["check", "make", "keep"], plan_of(&["check", "make", "keep"], Mode::Real, "other"));
    assert!(successor(&plan(&checked, Mode::Real), &next).unwrap_err().contains("done already"));
}

#[test]
fn away_from_a_commit_point_no_other_point_is_taken() {
    let mut rig = scenario("steps plain make keep tell\nstart\narm\ndone -> ?key");
    rig.play("another", "other");
    rig.holds("refused").unwrap();
    let mut rig = scenario("steps check make keep dry-run\nstart\ndone -> !completed");
    assert!(rig.engine.state().provisional.is_none());
    let plan = Box::new(plan_of(&["check", "make", "keep"], Mode::DryRun, "other"));
    rig.wish(Intent::AnotherPoint { plan, reason: "why".to_owned() });
    rig.holds("refused").unwrap();
}

#[test]
fn a_decision_is_put_off_and_never_hurried() {
    let mut rig = scenario(UP_TO_COMMIT);
    rig.play("postpone", "60");
    rig.holds("refused").unwrap();
    rig.play("wait", "8000");
    assert!(rig.engine.state().provisional.as_ref().unwrap().overdue_at.is_some());
    rig.play("postpone", "600");
    let state = rig.engine.state();
    assert!(state.overdue(crate::rig::at(rig.seconds)).is_none() && state.due_at().is_some());
    assert_eq!(state.amendments.len(), 1);
    rig.play("wait", "700");
    let alarms = rig.events.iter().filter(|e| matches!(e.kind, EventKind::DecisionOverdue { .. })).count();
    assert_eq!(alarms, 2, "it alarms again");
}

#[test]
fn an_amended_time_limit_holds_from_the_next_attempt_on() {
    let mut rig = scenario("steps make fill\nstart\narm\nyes -> >run:make");
    rig.play("limit", "make 60");
    rig.holds("refused").unwrap();
    rig.play("limit", "fill 90");
    rig.play("done", "");
    rig.play("yes", "");
    let timeout = rig.orders.iter().rev().find_map(|order| match order {
        relight::runbook::Order::StartTask { timeout, .. } => Some(timeout.as_secs()),
        _ => None,
    });
    assert_eq!((rig.holds(">run:fill"), timeout), (Ok(()), Some(90)));
    for wrong in ["nothing 60", "make 60", "fill 0"] {
        rig.play("limit", wrong);
        assert!(rig.refused.is_some(), "{wrong}");
    }
    assert_eq!(rig.engine.state().amendments[0].changes[0].words(), "time limit of fill: 10m -> 1m 30s");
}

#[test]
fn an_amendment_voids_what_others_have_approved() {
    let mut rig = scenario("steps risky fill\nstart\narm -> ?approval");
    rig.play("approve", "grace");
    let code = |rig: &Rig| rig.engine.state().question.as_ref().map(|question| question.number);
    let before = code(&rig);
    rig.play("limit", "fill 60");
    rig.holds("?approval").unwrap();
    assert!(code(&rig) > before, "it is asked for anew");
    assert!(rig.engine.state().steps[0].approvals.is_empty());
    rig.play("approve", "grace");
    rig.play("approve", "linus");
    rig.holds(">identify-to-ask:risky").unwrap();
}
