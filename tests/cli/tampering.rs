//! A journal that someone has changed: `relight journal verify` names the place.

use super::approvals::{said, sandbox};
use super::program::{Sandbox, json};
use relight::event::EventKind;
use relight::journal::{self, FileJournal, HEAD, JOURNAL, Journal as _};
use relight::runbook::{Question, QuestionKind};
use std::path::{Path, PathBuf};

/// A run that grace approved and that is over, and the folder of its journal.
fn approved() -> (Sandbox, PathBuf) {
    let (sandbox, _) = sandbox();
    said(&sandbox, &["run", "risky"], "yes\n");
    let (told, code) = said(&sandbox, &["approve", "latest", "--key", "grace.key"], "yes\n");
    assert_eq!(code, 0, "{told}");
    let (told, code) = said(&sandbox, &["attach", "latest"], "");
    assert!(code == 0 && told.contains(": COMPLETED"), "{told}");
    let run = json(&sandbox.relight(&["runs", "--json"]).assert())["runs"][0]["id"].as_str().unwrap().to_owned();
    let folder = sandbox.path().join(".local/state/relight/runs").join(run);
    (sandbox, folder)
}

fn lines(folder: &Path) -> Vec<String> {
    std::fs::read_to_string(folder.join(JOURNAL)).unwrap().lines().map(str::to_owned).collect()
}

fn put(folder: &Path, lines: &[String]) {
    std::fs::write(folder.join(JOURNAL), lines.join("\n") + "\n").unwrap();
}

/// What the program says of the journal, which it must call damaged.
fn damaged(sandbox: &Sandbox) -> String {
    let (told, code) = said(sandbox, &["journal", "verify", "latest"], "");
    assert!(code == 2 && told.contains("DAMAGED"), "{code}: {told}");
    told
}

#[test]
fn every_kind_of_tampering_is_named_with_its_place() {
    let (sandbox, folder) = approved();
    let (told, code) = said(&sandbox, &["journal", "verify", "latest"], "");
    assert!(code == 0 && told.contains("intact"), "{told}");
    let whole = lines(&folder);
    assert!(whole.len() > 6, "{}", whole.len());

    let mut byte = whole.clone();
    byte[4] = byte[4].replacen("\"at\":\"20", "\"at\":\"21", 1);
    assert_ne!(byte[4], whole[4]);
    put(&folder, &byte);
    let told = damaged(&sandbox);
    assert!(told.contains("line 5: it does not match its hash"), "{told}");

    let mut removed = whole.clone();
    removed.remove(3);
    put(&folder, &removed);
    let told = damaged(&sandbox);
    assert!(told.contains("line 4: it holds entry 5 where entry 4 belongs"), "{told}");

    let mut swapped = whole.clone();
    swapped.swap(3, 4);
    put(&folder, &swapped);
    let told = damaged(&sandbox);
    assert!(told.contains("line 4: it holds entry 5") && told.contains("re-ordered"), "{told}");

    put(&folder, &whole[..whole.len() - 2]);
    let told = damaged(&sandbox);
    assert!(told.contains("the tail was cut off") && told.contains(&format!("entry {}", whole.len())), "{told}");

    put(&folder, &whole);
    assert_eq!(said(&sandbox, &["journal", "verify", "latest"], "").1, 0);
}

#[test]
fn an_approval_that_was_forged_with_the_whole_chain_written_anew_is_found_by_its_signature() {
    let (sandbox, folder) = approved();
    let mut events = journal::read(&folder).unwrap();
    let at = events.iter().position(|event| matches!(event.kind, EventKind::ApprovalGiven { .. })).unwrap();
    let EventKind::QuestionAsked { question, .. } = &mut events[at - 1].kind else { panic!("{:?}", events[at - 1]) };
    // What was approved becomes something worse, with a digest that fits it.
    question["kind"]["request"]["loss"] = "everything".into();
    let asked: Question = serde_json::from_value(question.clone()).unwrap();
    let QuestionKind::Approval { request: wanted, .. } = asked.kind else { panic!("{asked:?}") };
    let EventKind::ApprovalGiven { request, .. } = &mut events[at].kind else { panic!() };
    *request = wanted.digest();
    let forged = sandbox.path().join("forged");
    std::fs::create_dir(&forged).unwrap();
    let mut anew = FileJournal::create(&forged).unwrap();
    for event in &events {
        anew.append(event).unwrap();
    }
    drop(anew);
    assert!(journal::verify(&forged).unwrap().damage.is_empty(), "the chain itself holds");
    for file in [JOURNAL, HEAD] {
        std::fs::copy(forged.join(file), folder.join(file)).unwrap();
    }
    let told = damaged(&sandbox);
    assert!(told.contains(&format!("line {}: ", at + 1)) && told.contains("grace"), "{told}");
}
