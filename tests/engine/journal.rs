//! The journal on a real disk: what a crash and a hand leave behind is told apart and named.

use crate::rig::{Rig, plan};
use relight::journal::{FileJournal, HEAD, JOURNAL, Journal, JournalError, MemoryJournal, read, verify};
use relight::runbook::Mode;
use std::fs;
use std::io::Write;
use std::path::Path;

fn written() -> (tempfile::TempDir, Rig) {
    let mut rig = Rig::new(&plan(&["check", "make"], Mode::Real));
    for word in ["start", "done", "arm", "yes", "done"] {
        rig.play(word, "");
    }
    let dir = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::create(dir.path()).unwrap();
    for event in &rig.events {
        journal.append(event).unwrap();
    }
    (dir, rig)
}

fn lines(dir: &Path) -> Vec<String> {
    fs::read_to_string(dir.join(JOURNAL)).unwrap().lines().map(str::to_owned).collect()
}

fn put(dir: &Path, lines: &[String]) {
    fs::write(dir.join(JOURNAL), lines.join("\n") + "\n").unwrap();
}

fn found(dir: &Path) -> Vec<(u64, String)> {
    verify(dir).unwrap().damage.into_iter().map(|damage| (damage.line, damage.what)).collect()
}

#[test]
fn what_was_appended_is_read_back_and_verifies() {
    let (dir, rig) = written();
    assert_eq!(read(dir.path()).unwrap(), rig.events);
    let verified = verify(dir.path()).unwrap();
    assert_eq!((verified.entries, verified.damage.len(), verified.torn), (rig.events.len() as u64, 0, false));
    let opened = FileJournal::open(dir.path()).unwrap();
    assert_eq!(opened.events, rig.events);
    assert!(opened.torn.is_none());
    assert!(FileJournal::create(dir.path()).is_err(), "a journal is never begun anew");
}

#[test]
fn an_altered_line_is_named() {
    let (dir, _) = written();
    for number in [2_usize, 5] {
        let mut altered = lines(dir.path());
        let kept = altered.clone();
        altered[number - 1] = altered[number - 1].replace("\"host\":\"here\"", "\"host\":\"mars\"");
        put(dir.path(), &altered);
        let found = found(dir.path());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, number as u64);
        assert!(matches!(FileJournal::open(dir.path()), Err(JournalError::Damaged { .. })));
        put(dir.path(), &kept);
    }
}

#[test]
fn removed_and_reordered_lines_are_named() {
    let (dir, _) = written();
    let kept = lines(dir.path());
    let mut removed = kept.clone();
    removed.remove(3);
    put(dir.path(), &removed);
    assert_eq!(found(dir.path())[0].0, 4);
    let mut swapped = kept.clone();
    swapped.swap(3, 4);
    put(dir.path(), &swapped);
    assert_eq!(found(dir.path())[0].0, 4);
}

#[test]
fn a_cut_tail_is_found_by_the_head() {
    let (dir, _) = written();
    let kept = lines(dir.path());
    put(dir.path(), &kept[..kept.len() - 2]);
    let found = found(dir.path());
    assert!(found.len() == 1 && found[0].1.contains("cut off"), "{found:?}");
    put(dir.path(), &kept);
    fs::remove_file(dir.path().join(HEAD)).unwrap();
    assert!(!verify(dir.path()).unwrap().damage.is_empty(), "a missing head is damage");
}

#[test]
fn a_half_written_last_line_is_set_aside_and_the_journal_goes_on() {
    let (dir, mut rig) = written();
    let half = b"{\"hash\":\"00ab";
    fs::OpenOptions::new().append(true).open(dir.path().join(JOURNAL)).unwrap().write_all(half).unwrap();
    assert!(verify(dir.path()).unwrap().torn);
    assert_eq!(read(dir.path()).unwrap(), rig.events);
    let mut opened = FileJournal::open(dir.path()).unwrap();
    assert_eq!(fs::read(opened.torn.unwrap()).unwrap(), half);
    let from = rig.events.len();
    rig.play("crash", "");
    for event in &rig.events[from..] {
        opened.journal.append(event).unwrap();
    }
    assert_eq!(read(dir.path()).unwrap(), rig.events);
}

#[test]
fn the_documented_check_with_openssl_holds() {
    let (dir, _) = written();
    let lines = lines(dir.path());
    let (previous, line) = (&lines[0][9..73], &lines[1]);
    let input = dir.path().join("input");
    fs::write(&input, format!("{previous}{}", line[82..].strip_suffix('}').unwrap())).unwrap();
    let out = std::process::Command::new("openssl").args(["dgst", "-sha256", "-r"]).arg(&input).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8(out.stdout).unwrap().split(' ').next().unwrap(), &line[9..73]);
}

#[test]
fn any_altered_byte_of_a_line_is_found_there() {
    let (dir, _) = written();
    let path = dir.path().join(JOURNAL);
    let whole = fs::read(&path).unwrap();
    let start = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
    let end = start + whole[start..].iter().position(|b| *b == b'\n').unwrap();
    for at in start..=end {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        fs::write(&path, &altered).unwrap();
        let found = found(dir.path());
        assert!(found.first().is_some_and(|(line, _)| *line == 2), "byte {at}: {found:?}");
        assert!(read(dir.path()).is_err() && FileJournal::open(dir.path()).is_err());
    }
}

#[test]
fn a_removed_line_is_told_once() {
    let (dir, rig) = written();
    let kept = lines(dir.path());
    for number in 2..kept.len() {
        let mut removed = kept.clone();
        removed.remove(number - 1);
        put(dir.path(), &removed);
        let found = found(dir.path());
        assert_eq!(found.len(), 1, "of {} lines, {number} removed: {found:?}", rig.events.len());
        assert_eq!(found[0].0, number as u64);
    }
}

#[test]
fn a_missing_head_is_damage_even_with_one_line() {
    let (dir, _) = written();
    let kept = lines(dir.path());
    put(dir.path(), &kept[..1]);
    fs::remove_file(dir.path().join(HEAD)).unwrap();
    assert_eq!(found(dir.path()).len(), 1);
    fs::write(dir.path().join(HEAD), "nonsense\n").unwrap();
    assert_eq!(found(dir.path()).len(), 1);
}

#[test]
fn a_line_of_a_newer_encoding_is_refused_by_name() {
    let (dir, _) = written();
    let mut newer = lines(dir.path());
    newer[2] = newer[2].replacen("\"v\":1", "\"v\":2", 1);
    put(dir.path(), &newer);
    let found = found(dir.path());
    assert_eq!(found[0].0, 3);
    assert!(found[0].1.contains("encoding 2") && found[0].1.contains("newer relight"), "{found:?}");
}

#[test]
fn a_reopened_journal_goes_on_where_it_ended() {
    let (dir, mut rig) = written();
    let from = rig.events.len();
    rig.play("crash", "");
    let mut opened = FileJournal::open(dir.path()).unwrap();
    assert!(matches!(opened.journal.append(&rig.events[0]), Err(JournalError::Order { .. })));
    for event in &rig.events[from..] {
        opened.journal.append(event).unwrap();
    }
    assert_eq!(FileJournal::open(dir.path()).unwrap().events, rig.events);
    assert!(verify(dir.path()).unwrap().damage.is_empty());
}

#[test]
fn a_full_disk_is_an_error_before_anything_counts() {
    let (_, rig) = written();
    let mut journal = MemoryJournal { full_from: Some(3), ..MemoryJournal::default() };
    journal.append(&rig.events[0]).unwrap();
    journal.append(&rig.events[1]).unwrap();
    assert!(journal.append(&rig.events[2]).unwrap_err().may_pass());
    assert!(matches!(journal.append(&rig.events[3]), Err(JournalError::Order { .. })));
    assert_eq!(journal.events.len(), 2);
}
