//! A run and its lease: nothing begins without it, nothing goes on when it lapses, nothing at all when it is
//! lost, and after a takeover everything is looked at first.

use crate::rig::{Rig, actor, at, plan};
use crate::standing_still::{cut, lead_to_the_end};
use relight::event::{EventKind, Purpose};
use relight::model::lease::TakenFrom;
use relight::runbook::engine::{Now, replay};
use relight::runbook::{Engine, Input, Intent, Mode, Plan, RunStatus, StepState};

fn locked(steps: &[&str], mode: Mode) -> Plan {
    let mut plan = plan(steps, mode);
    plan.lock_scope = vec!["database 1/orders".to_owned()];
    plan.digest = plan.compute_digest();
    plan
}

fn leased(rig: &mut Rig, epoch: u64) {
    rig.send(&Input::Leased { epoch, scopes: vec!["database 1/orders".to_owned()], place: "here".to_owned() });
}

fn taken_over(rig: &mut Rig, epoch: u64) {
    let from = TakenFrom { holder: actor("ada"), epoch: epoch - 1, reason: "burnt".to_owned(), renewed_at: at(0) };
    rig.engine.close();
    let place = "here".to_owned();
    rig.send(&Input::TakenOver { actor: actor("grace"), epoch, scopes: vec![], place, from });
    *rig = cut(rig, rig.events.len());
    rig.send(&Input::Recovered { pid: 2, version: "t".to_owned() });
}

fn looks(rig: &Rig, from: usize) -> Vec<String> {
    let look = |kind: &EventKind| match kind {
        EventKind::TaskIntended { step, purpose: Purpose::Reconcile, .. } => Some(step.to_string()),
        _ => None,
    };
    rig.events[from..].iter().filter_map(|event| look(&event.kind)).collect()
}

#[test]
fn nothing_begins_without_the_lease_and_tasks_carry_its_epoch() {
    let mut rig = Rig::new(&locked(&["check", "make"], Mode::Real));
    rig.play("start", "");
    assert!(rig.refused.as_ref().unwrap().contains("does not hold its lock"), "{:?}", rig.refused);
    leased(&mut rig, 7);
    rig.play("start", "");
    assert_eq!(rig.refused, None);
    let EventKind::TaskIntended { epoch, .. } = rig.events.last().unwrap().kind else { panic!() };
    assert_eq!(epoch, 7);
    lead_to_the_end(&mut rig);
    assert_eq!(rig.engine.state().status, RunStatus::Completed);
}

#[test]
fn a_dry_run_needs_none() {
    let mut rig = Rig::new(&locked(&["check", "make"], Mode::DryRun));
    rig.play("start", "");
    assert_eq!(rig.refused, None);
    lead_to_the_end(&mut rig);
}

#[test]
fn a_lapse_pauses_and_only_a_renewal_and_a_person_end_it() {
    let mut rig = Rig::new(&locked(&["make", "fill"], Mode::Real));
    leased(&mut rig, 1);
    rig.play("start", "");
    rig.play("arm", "");
    rig.send(&Input::LeaseLapsed { why: "the place does not answer".to_owned() });
    assert!(matches!(&rig.engine.state().status, RunStatus::Paused { cause } if cause.contains("does not answer")));
    rig.send(&Input::LeaseLapsed { why: "still".to_owned() });
    assert!(matches!(rig.events.last().unwrap().kind, EventKind::QuestionWithdrawn { .. }), "it is told once");
    for (word, rest) in [("resume", ""), ("abort", "undo")] {
        rig.play(word, rest);
        assert!(rig.refused.as_ref().is_some_and(|why| why.contains("not renewed")), "{word}: {:?}", rig.refused);
    }
    leased(&mut rig, 1);
    assert!(matches!(rig.engine.state().status, RunStatus::Paused { .. }), "a person resumes it");
    rig.play("resume", "");
    lead_to_the_end(&mut rig);
    assert_eq!(rig.engine.state().status, RunStatus::Completed);
}

#[test]
fn an_abort_takes_nothing_back_while_the_lease_has_lapsed() {
    let mut rig = Rig::new(&locked(&["make", "fill"], Mode::Real));
    leased(&mut rig, 1);
    for (word, rest) in [("start", ""), ("arm", ""), ("yes", ""), ("done", "")] {
        rig.play(word, rest);
    }
    assert_eq!(rig.engine.state().steps[0].state, StepState::Done);
    rig.play("yes", "");
    rig.play("abort", "undo");
    rig.send(&Input::LeaseLapsed { why: "the place does not answer".to_owned() });
    rig.play("cancelled", "operator");
    let mut undos = 0;
    for _ in 0..5 {
        undos += usize::from(rig.engine.state().working.first().is_some_and(|w| w.purpose == Purpose::Undo));
        match rig.engine.state().working.first().map(|w| w.purpose) {
            Some(Purpose::Reconcile) => rig.play("look", "not-done"),
            _ => rig.play("wait", "1"),
        }
    }
    assert_eq!(undos, 0, "{:?}", rig.engine.state().working);
    assert!(!rig.engine.state().status.is_over());
    leased(&mut rig, 1);
    assert_eq!(rig.engine.state().working.first().map(|w| w.purpose), Some(Purpose::Undo));
    rig.play("done", "");
    assert_eq!(rig.engine.state().status, RunStatus::AbortedClean);
}

#[test]
fn whoever_lost_the_lease_does_nothing_any_more() {
    let mut rig = Rig::new(&locked(&["make", "fill"], Mode::Real));
    leased(&mut rig, 1);
    rig.play("start", "");
    rig.play("arm", "");
    rig.send(&Input::LeaseLost { why: "grace took it".to_owned() });
    let written = rig.events.len();
    for (word, rest) in [("resume", ""), ("start", ""), ("abort", ""), ("arm", ""), ("yes", ""), ("wait", "500")] {
        rig.play(word, rest);
        assert!(word == "wait" || rig.refused.as_ref().is_some_and(|why| why.contains("grace took it")), "{word}");
    }
    rig.wish(Intent::Note { text: "still here".to_owned() });
    leased(&mut rig, 1);
    assert_eq!(rig.events.len(), written, "{:?}", rig.events.last());
    rig.play("crash", "");
    assert!(rig.engine.state().is_idle());
}

#[test]
fn after_a_takeover_every_change_that_is_not_settled_is_looked_at_first() {
    let mut whole = Rig::new(&locked(&["check", "make", "plain", "fill", "swap", "tell"], Mode::Real));
    leased(&mut whole, 1);
    lead_to_the_end(&mut whole);
    assert_eq!(whole.engine.state().status, RunStatus::Completed);
    for count in 2..whole.events.len() {
        let mut rig = cut(&whole, count);
        let open: Vec<String> = rig
            .engine
            .state()
            .steps
            .iter()
            .filter(|step| !step.state.is_settled() && !["check", "tell"].contains(&step.id.as_str()))
            .map(|step| step.id.to_string())
            .collect();
        taken_over(&mut rig, 2);
        for _ in 0..60 {
            let looking = rig.engine.state().working.first().is_some_and(|w| w.purpose == Purpose::Reconcile);
            if rig.engine.state().status.is_over() {
                break;
            }
            if looking {
                rig.play("look", "not-done");
            } else {
                crate::standing_still::one_step(&mut rig);
            }
        }
        assert_eq!(rig.engine.state().status, RunStatus::Completed, "after entry {count}");
        let looked = looks(&rig, count);
        for step in open {
            let first = rig.events[count..].iter().find_map(|event| match &event.kind {
                EventKind::TaskIntended {
                    step: s,
                    purpose: p @ (Purpose::Run | Purpose::Reconcile | Purpose::Undo),
                    ..
                } if s.as_str() == step => Some(*p),
                EventKind::StepDone { step: s } if s.as_str() == step => Some(Purpose::Reconcile),
                _ => None,
            });
            assert_eq!(first, Some(Purpose::Reconcile), "{step} after entry {count}; looked at {looked:?}");
        }
        crate::promises::hold(&rig.events);
    }
}

#[test]
fn what_the_old_holder_did_unseen_is_found_and_not_done_again() {
    let mut rig = Rig::new(&locked(&["check", "make", "fill"], Mode::Real));
    leased(&mut rig, 1);
    rig.play("start", "");
    taken_over(&mut rig, 2);
    let from = rig.events.len();
    lead_to_the_end(&mut rig);
    assert_eq!(rig.engine.state().status, RunStatus::Completed);
    assert_eq!(looks(&rig, from), ["make", "fill"]);
    let runs = rig.events[from..].iter().filter(|event| {
        matches!(&event.kind, EventKind::TaskIntended { step, purpose: Purpose::Run, .. } if step.as_str() != "check")
    });
    assert_eq!(runs.count(), 0, "what was found done is not done again");
}

#[test]
fn a_runner_that_hears_of_its_lease_before_it_has_taken_the_run_up_starts_nothing_yet() {
    let mut rig = Rig::new(&locked(&["check", "make"], Mode::Real));
    leased(&mut rig, 1);
    rig.play("start", "");
    // The runner died between the end of the task and what follows from it.
    rig.play("unknown", "");
    let ended = rig.events.iter().rposition(|e| matches!(e.kind, EventKind::TaskEnded { .. })).unwrap();
    let state = replay(&rig.events[..=ended]).unwrap();
    let mut engine = Engine::new(state, actor("relight"));
    let now = |seconds| Now { at: at(seconds), mono_ms: 0 };
    let told = Input::Leased { epoch: 1, scopes: vec!["db".to_owned()], place: "here".to_owned() };
    for event in engine.handle(&told, now(50)).events {
        assert!(!matches!(event.kind, EventKind::TaskIntended { .. }), "{event:?}");
        engine.apply(&event);
    }
    let taken_up = engine.handle(&Input::Recovered { pid: 2, version: "t".to_owned() }, now(51)).events;
    let started: Vec<_> = taken_up.iter().filter(|e| matches!(e.kind, EventKind::TaskIntended { .. })).collect();
    assert_eq!(started.len(), 1, "{taken_up:?}");
}
