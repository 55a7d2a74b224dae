//! Dialogs, and what they send and refuse to send.

use super::harness::Console;
use super::{estate, runs, snap, with_run};
use crossterm::event::Event;
use relight::runbook::{Answer, Intent};
use relight::session::Request;
use relight::tui::screen::Reply;

#[test]
fn dialogs_look_right() {
    for kind in ["key", "phrase", "failed", "unknown", "drift", "attest", "arm", "approval", "proof", "limit"] {
        snap(&format!("dialog-{kind}"), "5 a", &|| with_run(runs::asking(kind)));
    }
    snap("dialog-phrase-typed", "5 a 's 'w 'a 'x", &|| with_run(runs::asking("phrase")));
    snap("dialog-arm-session", "A", &estate::view);
    snap("dialog-abort", "5 X", &|| with_run(runs::running()));
    snap("dialog-hand-over", "5 H 'grace tab", &|| with_run(runs::running()));
    snap("dialog-take", "5 H", &|| with_run(runs::watched(true)));
    snap("dialog-relieve", "5 H", &|| with_run(runs::watched(false)));
    snap("dialog-another-point", "5 o", &|| with_run(runs::provisional(false)));
    snap("run-overdue", "5", &|| with_run(runs::provisional(true)));
    snap("dialog-quit", "q", &estate::view);
}

fn asking(kind: &str) -> Console {
    let mut console = Console::open(with_run(runs::asking(kind)), (120, 40));
    console.press("5 a");
    console
}

fn intent(console: &mut Console) -> Option<Intent> {
    match console.sent()? {
        Request::Intent { intent, .. } => Some(intent),
        other => panic!("unexpected {other:?}"),
    }
}

#[test]
fn a_limit_is_raised_with_a_reason_to_what_was_counted() {
    let mut console = asking("limit");
    console.press("y ctrl-y tab enter");
    assert_eq!(intent(&mut console), None);
    console.press("m");
    let shown = console.text();
    assert!(shown.contains("Amend the run") && shown.contains("1204311objects"), "{shown}");
    console.press("ctrl-y");
    assert!(console.text().contains("Say why"), "{}", console.text());
    console.press("'p 'r 'u 'n 'e 'd ctrl-y");
    let Some(Intent::LimitAmount { step, limit, reason }) = intent(&mut console) else { panic!("nothing was sent") };
    assert_eq!((step.as_str(), limit.objects, reason.as_str()), ("swap", Some(1_204_311), "pruned"));
}

#[test]
fn a_key_question_takes_y_and_never_enter() {
    let mut console = asking("key");
    console.press("tab enter enter");
    assert!(console.text().contains("Enter confirms nothing"));
    assert_eq!(intent(&mut console), None);
    console.press("y");
    assert_eq!(intent(&mut console), Some(Intent::Answer { question: 9, answer: Answer::Yes }));
}

#[test]
fn keys_typed_ahead_answer_no_question_that_nobody_has_seen() {
    let mut console = Console::open(with_run(runs::asking("key")), (120, 40));
    console.press("5");
    for key in ['a', 'y'] {
        console.app.event(Event::Key(crossterm::event::KeyCode::Char(key).into()));
    }
    assert_eq!(intent(&mut console), None);
    assert!(console.text().contains("read it, then answer"));
    console.press("y");
    assert_eq!(intent(&mut console), Some(Intent::Answer { question: 9, answer: Answer::Yes }));
}

#[test]
fn enter_on_cancel_leaves_the_question_open() {
    let mut console = asking("key");
    console.press("enter");
    assert!(console.text().contains("Your turn"));
    assert_eq!(intent(&mut console), None);
}

#[test]
fn a_phrase_must_be_whole_and_is_not_pasted() {
    let mut console = asking("phrase");
    console.app.event(Event::Paste("swap orders 9f3c".into()));
    console.press("ctrl-y");
    assert_eq!(intent(&mut console), None);
    console.press("'swap space 'orders space '9f3 ctrl-y enter");
    assert_eq!(intent(&mut console), None);
    console.press("'c enter");
    assert_eq!(intent(&mut console), None);
    console.press("ctrl-y ctrl-y");
    let expected = Intent::Answer { question: 9, answer: Answer::Phrase { text: "swap orders 9f3c".into() } };
    assert_eq!(intent(&mut console), Some(expected));
    assert_eq!(intent(&mut console), None, "sent once");
}

#[test]
fn skipping_is_not_offered_where_it_is_forbidden() {
    let mut console = asking("failed");
    console.press("s");
    assert_eq!(intent(&mut console), None);
    console.press("r");
    assert_eq!(intent(&mut console), Some(Intent::Answer { question: 9, answer: Answer::Retry }));
}

#[test]
fn evidence_is_needed_for_what_was_done_by_hand() {
    let mut console = asking("unknown");
    console.press("h ctrl-y");
    assert!(console.text().contains("Something must be written"));
    assert_eq!(intent(&mut console), None);
    console.press("'counted enter 'rows ctrl-y");
    let evidence = "counted\nrows".to_owned();
    assert_eq!(intent(&mut console), Some(Intent::Answer { question: 9, answer: Answer::DoneByHand { evidence } }));
}

#[test]
fn abort_undoes_unless_switched_off() {
    let mut console = Console::open(with_run(runs::running()), (120, 40));
    console.press("5 X 'wrong ctrl-y");
    assert_eq!(intent(&mut console), Some(Intent::Abort { reason: "wrong".into(), undo: true }));
}

#[test]
fn arming_needs_a_reason() {
    let mut console = Console::open(estate::view(), (80, 24));
    console.press("A ctrl-y");
    assert!(console.text().contains("A reason is needed"));
    console.press("'restore tab 'INC-9 tab ctrl-u '15 ctrl-y");
    match console.sent() {
        Some(Request::Arm { reason, incident, span }) => {
            assert_eq!((reason.as_str(), incident.as_deref(), span.as_secs()), ("restore", Some("INC-9"), 900));
        }
        other => panic!("unexpected {other:?}"),
    }
}

#[test]
fn nothing_is_answered_while_frozen() {
    let mut console = Console::open(with_run(runs::asking("key")), (120, 40));
    console.press("5 ctrl-f a enter");
    assert!(console.text().contains("FROZEN"));
    assert_eq!(intent(&mut console), None);
    console.press("ctrl-f a y");
    assert_eq!(intent(&mut console), Some(Intent::Answer { question: 9, answer: Answer::Yes }));
}

#[test]
fn an_answer_cannot_hit_another_question() {
    let mut console = asking("key");
    let mut run = runs::asking("phrase");
    if let Some(question) = run.state.question.as_mut() {
        question.number = 10;
    }
    console.app.take_view(std::sync::Arc::new(with_run(run)));
    console.press("y");
    assert_eq!(intent(&mut console), None);
}

#[test]
fn whoever_watches_can_take_what_is_offered_and_nothing_else() {
    let mut console = Console::open(with_run(runs::watched(true)), (120, 40));
    console.press("5 a");
    assert!(console.text().contains("grace@ops1 operates this run"), "{}", console.text());
    console.press("H 'ask space 'the space 'owner");
    console.app.event(Event::Paste("Ask the shop owner, then swap".into()));
    assert!(console.text().contains("a read-back is typed"));
    console.press("ctrl-y");
    assert_eq!(intent(&mut console), Some(Intent::TakeHandover { read_back: "ask the owner".into() }));
    let mut console = Console::open(with_run(runs::watched(false)), (120, 40));
    console.press("5 H 'gone ctrl-y");
    assert_eq!(intent(&mut console), Some(Intent::Relieve { reason: "gone".into() }));
}

#[test]
fn another_point_is_shown_before_it_is_chosen() {
    let mut console = Console::open(with_run(runs::provisional(true)), (120, 40));
    console.press("5");
    let text = console.text();
    assert!(text.contains("Recovered, not committed") && text.contains("OVERDUE"), "{text}");
    assert!(text.contains("o chooses another"), "{text}");
    console.press("o ctrl-y");
    assert!(console.text().contains("Say why this point"), "{}", console.text());
    console.press("'bad tab '-older ctrl-y");
    let Some(Request::AnotherPlan { params, answer }) = console.sent() else { panic!("{}", console.text()) };
    assert_eq!(params["backup"], "latest-older");
    let next = runs::committing("latest-older");
    drop(answer);
    // Whichever layer has asked.
    for layer in 0..32 {
        console.app.reply(layer, Reply::Plan(Ok(Box::new(next.clone()))));
    }
    let text = console.text();
    for wanted in ["backup: latest -> latest-older", "taken back", "instead: reads latest-older", &next.digest[..8]] {
        assert!(text.contains(wanted), "no `{wanted}` in\n{text}");
    }
    console.press("'nonsense ctrl-y");
    assert!(console.sent().is_none() && console.text().contains("exactly as it is shown"), "{}", console.text());
    for _ in 0..8 {
        console.press("backspace");
    }
    console.press(&format!("'{} ctrl-y", &next.digest[..8]));
    let Some(Request::Intent { intent: Intent::AnotherPoint { plan, reason }, .. }) = console.sent() else {
        panic!("{}", console.text())
    };
    assert_eq!((*plan, reason.as_str()), (next, "bad"));
}
