//! A disk that really is full: a small file system of its own.

use crate::rig::{Rig, actor, plan};
use relight::event::{Event, EventKind};
use relight::journal::{FileJournal, Journal, read, verify};
use relight::runbook::{Intent, Mode};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A file system in memory, gone with the value.
struct Small(tempfile::TempDir);

impl Small {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(dir.path()).status().unwrap();
        assert!(mounted.success(), "this test mounts a small file system and needs root for it");
        Self(dir)
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(path).unwrap();
    while file.write(&[0; 512]).is_ok_and(|written| written > 0) {}
}

#[test]
fn a_full_disk_refuses_the_line_and_takes_it_again_once_there_is_room() {
    let small = Small::new();
    let mut rig = Rig::new(&plan(&["check", "make"], Mode::Real));
    let mut journal = FileJournal::create(small.path()).unwrap();
    for event in &rig.events {
        journal.append(event).unwrap();
    }
    fill(&small.path().join("filler"));
    // Longer than what is left of the journal's last block.
    rig.wish(Intent::Note { text: "x".repeat(8000) });
    let note = rig.events.last().unwrap().clone();
    let before = fs::read(small.path().join("journal.jsonl")).unwrap();
    for _ in 0..3 {
        let error = journal.append(&note).unwrap_err();
        assert!(error.may_pass(), "{error}");
        assert!(error.to_string().contains("no space is left"));
    }
    assert_eq!(fs::read(small.path().join("journal.jsonl")).unwrap(), before, "half a line stayed behind");
    assert_eq!(read(small.path()).unwrap().len() as u64, note.seq - 1);

    fs::remove_file(small.path().join("filler")).unwrap();
    journal.append(&note).unwrap();
    let next = Event { seq: note.seq + 1, actor: actor("ada"), kind: EventKind::RunStarted, ..note };
    journal.append(&next).unwrap();
    let verified = verify(small.path()).unwrap();
    assert_eq!((verified.entries, verified.damage.len(), verified.torn), (next.seq, 0, false));
}
