//! What a full disk, a clock that is set, or another runner puts between two moments that belong together.

use crate::rig::{Rig, actor, at, plan};
use relight::event::{Event, EventKind, Purpose};
use relight::journal::{ChainedJournal, Disk, Journal as _, MemoryJournal};
use relight::model::id::RunId;
use relight::model::task::TaskOutcome;
use relight::runbook::engine::{Now, replay};
use relight::runbook::state::End;
use relight::runbook::{Answer, Engine, Input, Intent, Mode, Order, QuestionKind};
use relight::runner::ledger::{Heed, Ledger};
use serde_json::json;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

#[derive(Default)]
struct Heard(Vec<Order>);

impl Heed for Heard {
    fn event(&mut self, _: &Event) {}
    fn order(&mut self, order: Order) {
        self.0.push(order);
    }
}

fn wish(intent: Intent) -> Input {
    Input::Intent { actor: actor("ada"), intent }
}

fn now(seconds: i64) -> Now {
    Now { at: at(seconds), mono_ms: seconds as u64 * 1000 }
}

#[test]
fn an_identity_that_waited_for_room_on_the_disk_starts_nothing() {
    let plan = plan(&["swap"], Mode::Real);
    let first = Engine::creation(RunId::from("r1"), &plan, actor("ada"), now(0));
    let engine = Engine::new(replay([&first]).unwrap(), actor("relight"));
    let journal = MemoryJournal { events: vec![first.clone()], full_from: None };
    let journal = std::sync::Arc::new(std::sync::Mutex::new(journal));
    let mut ledger = Ledger::new(engine, Handle(std::sync::Arc::clone(&journal)), vec![first]);
    let mut heard = Heard::default();
    let seen = |purpose| {
        let output = json!({ "title": "database orders", "facts": [["database", "orders"], ["oid", 7]] });
        let end = End::Task(TaskOutcome::Done { output: output.as_object().unwrap().clone() });
        Input::TaskEnded { step: "swap".into(), attempt: 0, purpose, end }
    };
    let until = at(9000);
    for input in [
        Input::Recovered { pid: 1, version: "t".to_owned() },
        wish(Intent::Start { plan_digest: plan.digest.clone() }),
        wish(Intent::Arm { reason: "test".to_owned(), incident: None, until }),
        seen(Purpose::IdentifyToAsk),
    ] {
        assert_eq!(ledger.tell(input, now(1), &mut heard).unwrap(), None);
    }
    let question = ledger.state().question.clone().unwrap();
    let QuestionKind::Phrase { phrase } = question.kind else { panic!("no phrase is asked") };
    let yes = Intent::Answer { question: question.number, answer: Answer::Phrase { text: phrase } };
    ledger.tell(wish(yes), now(2), &mut heard).unwrap();
    journal.lock().unwrap().full_from = Some(0);
    ledger.tell(seen(Purpose::IdentifyToAct), now(3), &mut heard).unwrap();
    assert!(ledger.is_full());
    journal.lock().unwrap().full_from = None;
    ledger.catch_up(now(90), &mut heard).unwrap();
    let ran = |order: &Order| matches!(order, Order::StartTask { purpose: Purpose::Run, .. });
    assert!(!heard.0.iter().any(ran), "it acted on what the target was 87 seconds ago");
    assert!(matches!(ledger.state().question.as_ref().unwrap().kind, QuestionKind::Failed { may_retry: true, .. }));
}

struct Handle(std::sync::Arc<std::sync::Mutex<MemoryJournal>>);

impl relight::journal::Journal for Handle {
    fn append(&mut self, event: &Event) -> Result<(), relight::journal::JournalError> {
        self.0.lock().unwrap().append(event)
    }
}

#[test]
fn a_yes_from_before_the_clock_was_set_is_asked_again() {
    for jump in [-36_000, -600, 600] {
        let mut rig = Rig::new(&plan(&["swap"], Mode::Real));
        for (word, rest) in [("start", ""), ("arm", "36000"), ("identity", "orders"), ("phrase", "")] {
            rig.play(word, rest);
        }
        assert_eq!(rig.holds(">identify-to-act:swap"), Ok(()));
        rig.seconds += jump;
        rig.play("identity", "orders");
        assert_eq!(rig.holds(">identify-to-ask:swap"), Ok(()), "after a jump of {jump} s");
    }
}

#[test]
fn the_next_runner_repeats_nothing_by_itself() {
    let mut rig = Rig::new(&plan(&["fill"], Mode::Real));
    for (word, rest) in [("start", ""), ("arm", ""), ("yes", "")] {
        rig.play(word, rest);
    }
    rig.engine.close();
    rig.play("fail", "");
    rig.play("crash", "");
    assert_eq!(rig.holds("?failed"), Ok(()));
    let runs = rig.events.iter().filter(|e| matches!(e.kind, EventKind::TaskIntended { purpose: Purpose::Run, .. }));
    assert_eq!(runs.count(), 1);
}

/// No room is left when the line is flushed, not when it is written.
struct Late;

impl Disk for Late {
    fn append(&mut self, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
    fn cut(&mut self, _: u64) -> std::io::Result<()> {
        Ok(())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Err(Error::from(ErrorKind::StorageFull))
    }
    fn write_head(&mut self, _: &str) -> std::io::Result<()> {
        Ok(())
    }
    fn set_aside(&mut self, _: &[u8]) -> std::io::Result<PathBuf> {
        Err(Error::other("nothing is set aside"))
    }
}

#[test]
fn a_line_that_may_be_on_disk_is_not_written_a_second_time() {
    let event = Engine::creation(RunId::from("r1"), &plan(&["check"], Mode::Real), actor("ada"), now(0));
    let mut journal = ChainedJournal::begin(Late, Path::new("late")).unwrap();
    assert!(!journal.append(&event).unwrap_err().may_pass(), "the wish in it was refused and may be on disk");
    assert!(!journal.append(&event).unwrap_err().may_pass());
}
