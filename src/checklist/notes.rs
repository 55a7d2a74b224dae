//! What people answered: `checklist.jsonl`, one line per answer, only ever appended to.

use crate::kept::Lines;
use crate::model::actor::Actor;
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// File name below the state folder.
const FILE: &str = "checklist.jsonl";
/// Version of a line; a line of another one is told as unreadable.
const VERSION: u32 = 1;
/// Longest answer that is taken, in bytes.
const LONGEST_TEXT: usize = 16 << 10;
/// Longest line that is believed: an answer may be escaped to six times its length.
const LONGEST_LINE: u64 = 256 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Passed,
    Failed,
}

/// One answer of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub checklist: String,
    pub item: String,
    pub at: Timestamp,
    pub by: Actor,
    pub outcome: Outcome,
    pub text: String,
}

#[derive(Serialize, Deserialize)]
struct Entry<N> {
    v: u32,
    #[serde(flatten)]
    note: N,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Oldest first.
    pub notes: Vec<Note>,
    /// Numbers of lines that are no notes; they stay in the file.
    pub unreadable: Vec<u64>,
}

#[derive(Debug, thiserror::Error)]
#[error("the answers of the checklists in {} could not be {doing}: {source}", .path.display())]
pub struct LogError {
    path: PathBuf,
    doing: &'static str,
    source: io::Error,
}

/// The file of answers of one state folder.
#[derive(Clone, Debug)]
pub struct Log {
    lines: Lines,
}

impl Log {
    pub fn in_state(state_dir: &Path) -> Self {
        Self { lines: Lines::new(state_dir.join(FILE), LONGEST_LINE) }
    }

    /// Adds one line and waits until it is on disk.
    pub fn append(&self, note: &Note) -> Result<(), LogError> {
        self.try_append(note).map_err(|source| self.error("written", source))
    }

    fn try_append(&self, note: &Note) -> io::Result<()> {
        if note.text.len() > LONGEST_TEXT {
            let why = format!("the answer is longer than {LONGEST_TEXT} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        self.lines.append(&Entry { v: VERSION, note })
    }

    /// All answers. A file that does not exist yet holds none.
    pub fn read(&self) -> Result<Notes, LogError> {
        self.try_read().map_err(|source| self.error("read", source))
    }

    fn try_read(&self) -> io::Result<Notes> {
        let mut notes = Notes::default();
        for line in self.lines.read()? {
            match line.text.map(|text| serde_json::from_slice::<Entry<Note>>(&text)) {
                Ok(Ok(Entry { v: VERSION, note })) => notes.notes.push(note),
                _ => notes.unreadable.push(line.number),
            }
        }
        Ok(notes)
    }

    fn error(&self, doing: &'static str, source: io::Error) -> LogError {
        LogError { path: self.lines.path().to_owned(), doing, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write as _;

    #[test]
    fn answers_are_kept_in_order_and_a_torn_line_loses_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::in_state(folder.path());
        assert_eq!(log.read().unwrap(), Notes::default());
        let note = |text: &str| Note {
            checklist: "daily".into(),
            item: "rounds".into(),
            at: chrono::DateTime::UNIX_EPOCH,
            by: Actor { name: "deploy".into(), host: "ops1".into(), pid: 1 },
            outcome: Outcome::Passed,
            text: text.into(),
        };
        log.append(&note("one")).unwrap();
        OpenOptions::new().append(true).open(folder.path().join(FILE)).unwrap().write_all(b"{\"v\":1,").unwrap();
        log.append(&note("two\nlines")).unwrap();
        let read = log.read().unwrap();
        assert_eq!(read.notes, [note("one"), note("two\nlines")]);
        assert_eq!(read.unreadable, [2]);
    }
}
