//! What an hour between two events changes: a yes and an identity speak of their moment, not of later.

use crate::rig::{Rig, plan, scenario};
use relight::event::{EventKind, Purpose};
use relight::model::id::StepId;
use relight::runbook::engine::{Now, replay};
use relight::runbook::{Answer, Input, Intent, Mode, Order, QuestionKind, RunStatus};

#[test]
fn a_confirmation_before_a_pause_is_asked_again_after_it() {
    scenario(
        "steps swap
        start
        arm
        identity orders     -> ?phrase
        phrase              -> >identify-to-act:swap
        pause               -> >identify-to-act:swap !paused
        identity orders     -> >- !paused swap=armed
        wait 100
        resume              -> >identify-to-ask:swap
        identity orders     -> ?phrase >-",
    );
    scenario(
        "steps swap
        start
        arm
        identity orders     -> ?phrase
        phrase              -> >identify-to-act:swap
        pause
        resume              -> >identify-to-act:swap
        identity orders     -> ?phrase >-",
    );
}

#[test]
fn an_identity_from_before_a_pause_is_read_again() {
    scenario(
        "steps swap
        start
        arm                 -> >identify-to-ask:swap
        pause
        identity orders     -> >- ?- !paused
        wait 100
        resume              -> >identify-to-ask:swap
        identity other      -> ?drift",
    );
}

#[test]
fn armed_time_that_ends_between_yes_and_act_starts_nothing() {
    scenario(
        "steps swap
        start
        arm 20              -> >identify-to-ask:swap
        identity orders     -> ?phrase
        phrase              -> >identify-to-act:swap
        wait 30
        identity orders     -> swap=blocked ?arm >-
        arm                 -> >identify-to-ask:swap
        identity orders     -> ?phrase",
    );
}

#[test]
fn taking_back_needs_an_armed_run() {
    scenario(
        "steps make
        start
        arm 10
        yes                 -> >run:make
        wait 60
        fail                -> ?failed
        undo                -> refused ?failed >-
        arm
        undo                -> >undo:make",
    );
}

#[test]
fn what_a_look_found_not_done_leaves_nothing_behind_and_is_not_undone() {
    scenario(
        "steps make
        start
        arm 10
        yes                 -> >run:make
        crash               -> >reconcile:make
        wait 60
        look not-done       -> make=blocked ?arm
        abort undo          -> !aborted-clean leftovers=0 >-",
    );
    scenario(
        "steps make fill
        start
        arm
        yes
        fail
        again
        look not-done       -> ?failed
        skip not needed     -> make=skipped ?key
        abort undo          -> !aborted-clean leftovers=0 >-",
    );
}

#[test]
fn notes_are_kept_at_any_time_and_empty_ones_refused() {
    let mut rig = scenario("steps check\nstart\ndone -> !completed");
    rig.wish(Intent::Note { text: "  ".to_owned() });
    assert!(rig.refused.is_some());
    rig.wish(Intent::Note { text: "all quiet".to_owned() });
    assert!(matches!(&rig.events.last().unwrap().kind, EventKind::NoteAdded { text } if text == "all quiet"));
    assert_eq!(rig.engine.state().status, RunStatus::Completed);
}

fn asks_for_key() -> Rig {
    let mut rig = Rig::new(&plan(&["make"], Mode::Real));
    rig.play("start", "");
    rig.play("arm", "9000");
    rig
}

#[test]
fn a_yes_whose_act_the_disk_held_up_is_asked_again() {
    for recorded in 1..=2 {
        let mut rig = asks_for_key();
        let number = rig.engine.state().question.as_ref().unwrap().number;
        let now = Now { at: crate::rig::at(rig.seconds), mono_ms: 0 };
        let intent = Intent::Answer { question: number, answer: Answer::Yes };
        let input = Input::Intent { actor: crate::rig::actor("ada"), intent };
        let decision = rig.engine.handle(&input, now);
        assert!(matches!(decision.events.last().unwrap().kind, EventKind::TaskIntended { .. }));
        // Only the first events found room.
        for event in decision.events.into_iter().take(recorded) {
            rig.append(event);
        }
        assert!(rig.orders.iter().all(|order| !matches!(order, Order::StartTask { .. })));
        rig.play("wait", "600");
        assert!(rig.engine.state().is_idle());
        assert!(rig.engine.state().question.as_ref().is_some_and(|q| q.number > number));
    }
}

/// Everything that an operator and the world may do about `rig`, until it ends.
pub fn lead_to_the_end(rig: &mut Rig) {
    for _ in 0..400 {
        if rig.engine.state().status.is_over() {
            return;
        }
        one_step(rig);
    }
    panic!("the run does not come to an end: {:?}", rig.engine.state());
}

/// The next thing that a good world, or a patient operator, does about it.
pub fn one_step(rig: &mut Rig) {
    let state = rig.engine.state();
    let approved = state
        .steps
        .iter()
        .any(|record| record.state == relight::runbook::StepState::AwaitingApproval && !record.approvals.is_empty());
    let (word, rest) = if let Some(working) = state.working.first() {
        match working.purpose {
            Purpose::Reconcile if working.step.as_str() == "fence" => ("look", "proof"),
            Purpose::Reconcile | Purpose::ReconcileUndo => ("look", "done"),
            Purpose::Count => ("count", "50"),
            Purpose::IdentifyToAsk | Purpose::IdentifyToAct => ("identity", "orders"),
            Purpose::Run if working.step.as_str() == "fence" => ("proof", ""),
            Purpose::Run | Purpose::Undo | Purpose::Verify => ("done", ""),
        }
    } else if let Some(question) = &state.question {
        match &question.kind {
            QuestionKind::Key => ("yes", ""),
            QuestionKind::Phrase { .. } | QuestionKind::Proof { from: None, .. } => ("phrase", ""),
            QuestionKind::Answer { .. } => ("value", "12"),
            QuestionKind::Attest { .. } => ("value", "\"told them\""),
            QuestionKind::Failed { .. } => ("hand", "did it"),
            QuestionKind::Unknown | QuestionKind::Limit { .. } => ("again", ""),
            QuestionKind::Proof { from: Some(_), .. } => ("retry", ""),
            QuestionKind::Approval { .. } if approved => ("approve", "linus"),
            QuestionKind::Approval { .. } => ("approve", "grace"),
            QuestionKind::Drift => ("accept", "known"),
            QuestionKind::Arm => ("arm", ""),
        }
    } else if state.started_at.is_none() {
        ("start", "")
    } else if state.paused.is_some() {
        ("resume", "")
    } else {
        panic!("the run waits for nothing and nobody: {:?}", state.steps)
    };
    rig.play(word, rest);
    assert!(rig.refused.is_none(), "`{word}` was refused: {:?}", rig.refused);
}

#[test]
fn an_undo_that_did_not_start_while_the_run_was_armed_is_asked_for_again() {
    let rig = scenario("steps make\nstart\narm 20\nyes\nfail -> ?failed\nundo -> >undo:make");
    let answered = rig.events.iter().rposition(|e| matches!(e.kind, EventKind::Answered { .. })).unwrap();
    let mut rig = cut(&rig, answered + 1);
    rig.seconds += 60;
    rig.play("crash", "");
    let held = [">-", "?failed", "make=failed"].iter().find_map(|token| rig.holds(token).err());
    assert_eq!(held, None);
    rig.play("arm", "");
    rig.play("undo", "");
    assert_eq!(rig.holds(">undo:make"), Ok(()));
}

/// The run as a new runner finds it when the journal ends after `count` events.
pub fn cut(rig: &Rig, count: usize) -> Rig {
    let events = rig.events[..count].to_vec();
    let state = replay(&events).unwrap();
    Rig::taken_up(events, state, rig.seconds)
}

#[test]
fn a_crash_after_any_event_starts_nothing_twice_and_the_run_still_completes() {
    let mut whole = Rig::new(&plan(
        &["check", "make", "plain", "swap", "steady", "fill", "wipe", "sweep", "said", "tell", "ask"],
        Mode::Real,
    ));
    lead_to_the_end(&mut whole);
    assert_eq!(whole.engine.state().status, RunStatus::Completed);
    for count in 1..whole.events.len() {
        let mut rig = cut(&whole, count);
        let running = rig.engine.state().working.first().cloned();
        rig.play("crash", "");
        let next = &rig.events[count..];
        let runs = |event: &relight::event::Event| match &event.kind {
            EventKind::TaskIntended { step, purpose: Purpose::Run, .. } => Some(step.clone()),
            _ => None,
        };
        let confirmed = ["make", "swap", "fill", "wipe", "steady"].map(StepId::from);
        assert!(
            next.iter().filter_map(runs).all(|step| !confirmed.contains(&step)),
            "after entry {count} a confirmed step started by itself: {next:?}"
        );
        if let Some(running) = running.filter(|working| working.purpose == Purpose::Run) {
            let state = rig.engine.state().working[0].clone();
            assert_eq!((state.step, state.purpose), (running.step, Purpose::Reconcile));
        }
        lead_to_the_end(&mut rig);
        assert_eq!(rig.engine.state().status, RunStatus::Completed, "after entry {count}");
        crate::promises::hold(&rig.events);
    }
}
