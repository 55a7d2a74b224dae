//! A folder of nights.

use crate::lab::{ARGUMENTS, Lab, content, night, nights, source};
use relight::model::proof::ProofOutcome;
use relight::model::time::Clock as _;
use relight::proof::Ledger;
use relight::wiring::SystemClock;

#[test]
fn with_the_newest_five_corrupt_the_last_proven_one_survives_a_real_run() {
    let lab = Lab::of_files();
    for day in 6..=10 {
        lab.put(&night(day), &content(day)[..20]);
        lab.prove(day, 2);
    }
    lab.put(&format!("{}.sha256", night(1)), b"0000  beside\n");
    let (text, code) = lab.home.open(&ARGUMENTS).finish();
    assert!(code != Some(0) && text.contains("kept: no backup of the asset is proven"), "{text}");
    assert_eq!(lab.names().len(), 11, "nothing goes where nothing is proven");
    lab.prove(5, 0);
    let (text, code) = lab.home.run(&ARGUMENTS);
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    assert_eq!(lab.names(), nights(3..=10), "{text}");
    assert!(text.contains("removed: `settings_20260901.json.gz`"), "{text}");
    let left = lab.home.relight(&["retention", "settings"]);
    assert!(String::from_utf8_lossy(&left.stdout).contains("would let go 0"), "{left:?}");
}

#[test]
fn what_was_replaced_or_is_needed_by_now_stops_it_before_anything_goes() {
    let lab = Lab::of_files();
    lab.prove(10, 0);
    let (mut line, asked) = lab.at_the_phrase(&[]);
    lab.put(&night(4), b"another file under the same name");
    line.say(asked.phrase.as_deref().unwrap());
    line.asked().expect("the failure asks");
    assert!(line.text.contains("`settings_20260904.json.gz` was replaced since the plan"), "{}", line.text);
    line.say("abort somebody writes there");
    assert_eq!(line.finish().1, Some(2));
    assert_eq!(lab.names(), nights(1..=10), "nothing has gone");

    let (mut line, asked) = lab.at_the_phrase(&[]);
    std::fs::rename(lab.file(&night(9)), lab.home.path("lost")).unwrap();
    line.say(asked.phrase.as_deref().unwrap());
    line.asked().expect("the failure asks");
    assert!(line.text.contains("which is to be kept, is no longer there"), "{}", line.text);
    assert!(line.text.contains("`settings_20260907.json.gz` is to be kept now: daily 2026-09-07"), "{}", line.text);
    line.say("abort a backup was lost");
    assert_eq!(line.finish().1, Some(2));
    assert_eq!(lab.names().len(), 9, "nothing more has gone");
}

#[test]
fn the_one_that_stays_is_proven_again_before_anything_goes() {
    let lab = Lab::of_files();
    lab.prove(10, 0);
    let before = std::fs::metadata(lab.file(&night(10))).unwrap().modified().unwrap();
    // Damaged in place: size and time as before.
    let mut bytes = content(10);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(lab.file(&night(10)), bytes).unwrap();
    std::fs::File::options().write(true).open(lab.file(&night(10))).unwrap().set_modified(before).unwrap();
    let mut line = lab.home.open(&ARGUMENTS);
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.asked().expect("the failure asks");
    assert!(asked.phrase.is_none() && asked.text.contains("(step 1 of 3)"), "{}", line.text);
    line.say("abort it is damaged");
    assert_eq!(line.finish().1, Some(2));
    assert_eq!(lab.names(), nights(1..=10));
}

#[test]
fn one_that_became_the_last_proven_one_stays() {
    let lab = Lab::of_files();
    lab.prove(2, 0);
    lab.prove(10, 0);
    let (mut line, asked) = lab.at_the_phrase(&[]);
    let ledger = Ledger::in_state(&lab.home.state());
    let mut failed = ledger.read().unwrap().records.into_iter().rfind(|record| record.path == night(10)).unwrap();
    failed.outcome = ProofOutcome::Failed;
    failed.at = SystemClock.now();
    ledger.append(&failed).unwrap();
    line.say(asked.phrase.as_deref().unwrap());
    line.asked().expect("the failure asks");
    let said = "`settings_20260902.json.gz` is to be kept now: the newest that is proven";
    assert!(line.text.contains(said), "{}", line.text);
    line.say("abort the newest is bad");
    assert_eq!(line.finish().1, Some(2));
    assert_eq!(lab.names(), nights(1..=10), "not even those before it went");
}

#[test]
fn more_than_the_limit_asks_first() {
    let lab = Lab::of_files();
    lab.prove(10, 0);
    let mut line = lab.home.open(&[&ARGUMENTS[..], &["--set", "max_objects=3"]].concat());
    line.until("Start this plan?");
    line.say("yes");
    let over = line.asked().expect("the limit asks");
    assert!(over.phrase.is_none() && over.text.contains("7 objects, and at most 3 may be"), "{}", line.text);
    line.say("abort that is too many");
    assert_eq!(line.finish().1, Some(2));
    assert_eq!(lab.names(), nights(1..=10));
    let (text, code) = lab.home.run(&[&ARGUMENTS[..], &["--set", "max_objects=3", "--set", "most=2"]].concat());
    assert!(code == Some(0) && text.contains("leaves 5 further backups"), "{text}");
    assert_eq!(lab.names(), nights(3..=10), "the oldest go first");
}

#[test]
fn a_drill_removes_nothing() {
    let lab = Lab::of_files();
    lab.prove(10, 0);
    let arguments = [&["run"], &ARGUMENTS[..], &["--mode", "drill", "--plain", "--arm", "the lab's test"]].concat();
    let done = lab.home.relight(&arguments);
    let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    assert!(done.status.code() != Some(0) && text.contains("cannot be drilled"), "{text}");
    assert_eq!(lab.names(), nights(1..=10));
}

#[test]
fn names_that_would_do_harm_are_only_names() {
    let lab = Lab::with("type = \"local\"\npath = \"store\"", &source("settings*_{time:%Y%m%d}.json.gz"));
    let hostile = |day: u32| format!("settings \u{1b}[2J;$(touch hurt)' --\n_202609{day:02}.json.gz");
    for day in 1..=4 {
        lab.put(&hostile(day), &content(day));
    }
    lab.prove(4, 0);
    let (text, code) = lab.home.run(&ARGUMENTS);
    assert!(code == Some(0) && !text.contains('\u{1b}'), "{text}");
    assert_eq!(lab.names(), [hostile(2), hostile(3), hostile(4)]);
}

#[test]
fn a_folder_goes_member_by_member_with_what_describes_it() {
    let lab = Lab::with("type = \"local\"\npath = \"store\"", &source("settings_{time:%Y%m%d}/"));
    for day in 1..=5 {
        let member = |name: &str| format!("settings_202609{day:02}/{name}");
        lab.put(&member("a/one.txt"), b"one");
        lab.put(&member("two.txt"), b"two");
        let sums = ["a/one.txt", "two.txt"].map(|name| {
            let bytes = std::fs::read(lab.file(&member(name))).unwrap();
            format!("{}  {name}\n", hex::encode(<sha2::Sha256 as sha2::Digest>::digest(bytes)))
        });
        lab.put(&member("checksums.txt"), sums.concat().as_bytes());
    }
    let done = lab.home.relight(&["verify", "settings-full-20260905", "--level", "L4"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stdout));
    let (mut line, asked) = lab.at_the_phrase(&[]);
    lab.put("settings_20260901/new.txt", b"somebody is still writing");
    line.say(asked.phrase.as_deref().unwrap());
    line.asked().expect("the failure asks");
    assert!(line.text.contains("new.txt` was added since the plan"), "{}", line.text);
    line.say("abort somebody writes there");
    assert_eq!(line.finish().1, Some(2));
    assert!(lab.file("settings_20260901/two.txt").exists());
    std::fs::remove_file(lab.file("settings_20260901/new.txt")).unwrap();
    let (text, code) = lab.home.run(&ARGUMENTS);
    assert!(code == Some(0) && text.contains("6 of 6 objects removed"), "{text}");
    let last = text.rfind("removed: `settings_20260901/").unwrap();
    assert!(text[last..].starts_with("removed: `settings_20260901/checksums.txt`"), "{text}");
    for day in 1..=5 {
        assert_eq!(lab.file(&format!("settings_202609{day:02}/two.txt")).exists(), day > 2, "{day}");
    }
}
