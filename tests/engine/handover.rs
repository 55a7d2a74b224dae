//! One operator at a time: handed over with a read-back, relieved with a reason, watched by all others.

use crate::rig::{Rig, actor, plan};
use relight::event::EventKind;
use relight::runbook::engine::Input;
use relight::runbook::{Intent, Mode};

fn started(steps: &[&str]) -> Rig {
    let mut rig = Rig::new(&plan(steps, Mode::Real));
    rig.play("start", "");
    rig
}

/// Why the wish is refused; `None` where it comes true.
fn wish(rig: &mut Rig, name: &str, intent: Intent) -> Option<String> {
    rig.send(&Input::Intent { actor: actor(name), intent });
    rig.refused.take()
}

fn offer() -> Intent {
    Intent::OfferHandover {
        to: "grace".to_owned(),
        believed: "the primary is lost".to_owned(),
        next: "Make the side, then wait for Linus.".to_owned(),
    }
}

fn read_back(text: &str) -> Intent {
    Intent::TakeHandover { read_back: text.to_owned() }
}

#[test]
fn whoever_does_not_operate_a_run_watches_it() {
    let mut rig = started(&["check", "make"]);
    for intent in [
        Intent::Pause { reason: "x".to_owned() },
        Intent::Resume,
        Intent::Disarm,
        Intent::Abort { reason: "x".to_owned(), undo: false },
        offer(),
    ] {
        let refused = wish(&mut rig, "grace", intent.clone()).unwrap_or_default();
        assert!(refused.contains("ada@here operates this run"), "{intent:?}: {refused}");
    }
    assert_eq!(wish(&mut rig, "grace", Intent::Note { text: "I see it".to_owned() }), None);
}

#[test]
fn a_handover_takes_the_next_action_typed_back() {
    let mut rig = started(&["check", "make"]);
    rig.play("arm", "");
    rig.play("done", "");
    assert!(wish(&mut rig, "grace", read_back("x")).is_some(), "nothing is offered");
    assert_eq!(wish(&mut rig, "ada", offer()), None);
    let offered = rig.engine.state().handover.clone().unwrap();
    assert_eq!(offered.open.len(), 1, "{:?}", offered.open);
    assert!(wish(&mut rig, "ada", read_back("make the side then wait for linus")).is_some(), "one's own offer");
    let refused = wish(&mut rig, "grace", read_back("make the side")).unwrap();
    assert!(refused.contains("not the next action"), "{refused}");
    assert_eq!(wish(&mut rig, "grace", read_back("make the side then wait for LINUS")), None);
    let state = rig.engine.state();
    assert_eq!((state.operator.name.as_str(), &state.handover, &state.armed), ("grace", &None, &None));
    assert!(matches!(
        &rig.events.last().unwrap().kind,
        EventKind::QuestionAsked { .. } | EventKind::HandoverTaken { .. }
    ));
    assert!(wish(&mut rig, "ada", Intent::Pause { reason: "x".to_owned() }).is_some());
    assert_eq!(wish(&mut rig, "grace", Intent::Pause { reason: "x".to_owned() }), None);
}

#[test]
fn an_operator_who_is_gone_is_relieved_and_both_names_are_kept() {
    let mut rig = started(&["check"]);
    let relieve = |reason: &str| Intent::Relieve { reason: reason.to_owned() };
    assert!(wish(&mut rig, "grace", relieve(" ")).is_some(), "a reason is needed");
    assert!(wish(&mut rig, "ada", relieve("bored")).is_some());
    assert_eq!(wish(&mut rig, "grace", relieve("asleep")), None);
    let kept = rig.events.iter().any(|event| {
        event.actor.name == "grace"
            && matches!(&event.kind, EventKind::OperatorRelieved { from, reason } if from.name == "ada" && reason == "asleep")
    });
    assert!(kept);
}

#[test]
fn an_approval_is_given_for_its_operator_alone() {
    let mut rig = started(&["risky"]);
    rig.play("arm", "");
    rig.play("approve", "grace");
    let asked = rig.engine.state().asked;
    rig.play("relieve", "linus");
    rig.play("arm", "");
    let state = rig.engine.state();
    assert!(state.asked > asked, "it is asked anew, in the new operator's name");
    assert!(state.steps[0].approvals.is_empty());
    rig.play("approve", "linus");
    assert!(rig.refused.take().unwrap().contains("nobody approves their own work"));
}
