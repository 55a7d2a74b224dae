//! The proof ledger: `proofs.jsonl`, one line per verification, only ever appended to.

use crate::kept::{Broken, Line, Lines};
use crate::model::proof::ProofRecord;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// File name below the state folder.
pub const FILE: &str = "proofs.jsonl";

/// Version of a line. A higher one is refused by name, line by line.
pub const VERSION: u32 = 1;

/// Longest line that is believed, in bytes.
const LONGEST: u64 = 4 << 20;

#[derive(Debug, thiserror::Error)]
#[error("the proof ledger {} could not be {doing}: {source}", .path.display())]
pub struct LedgerError {
    pub path: PathBuf,
    pub doing: &'static str,
    pub source: io::Error,
}

#[derive(Serialize)]
struct LineOut<'a> {
    v: u32,
    #[serde(flatten)]
    record: &'a ProofRecord,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// A line that could not be understood. It stays in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: u64,
    pub what: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proofs {
    /// Oldest first.
    pub records: Vec<ProofRecord>,
    pub problems: Vec<Problem>,
}

#[derive(Clone, Debug)]
pub struct Ledger {
    lines: Lines,
}

impl Ledger {
    pub fn in_state(state_dir: &Path) -> Self {
        Self { lines: Lines::new(state_dir.join(FILE), LONGEST) }
    }

    pub fn path(&self) -> &Path {
        self.lines.path()
    }

    /// Adds one line and waits until it is on disk. Writers of several processes take turns. A torn last
    /// line is closed off, so that it stays a line of its own and is reported by [`Ledger::read`].
    pub fn append(&self, record: &ProofRecord) -> Result<(), LedgerError> {
        let line = LineOut { v: VERSION, record };
        self.lines.append(&line).map_err(|source| self.error("written", source))
    }

    /// All records, and all lines that are not records. A ledger that does not exist yet is empty.
    pub fn read(&self) -> Result<Proofs, LedgerError> {
        let lines = self.lines.read().map_err(|source| self.error("read", source))?;
        let mut proofs = Proofs::default();
        for Line { number, text } in lines {
            let read =
                text.map_or_else(|Broken::TooLong| Err("far too long to be a record".to_owned()), |text| parse(&text));
            match read {
                Ok(record) => proofs.records.push(record),
                Err(what) => proofs.problems.push(Problem { line: number, what }),
            }
        }
        Ok(proofs)
    }

    fn error(&self, doing: &'static str, source: io::Error) -> LedgerError {
        LedgerError { path: self.lines.path().to_owned(), doing, source }
    }
}

fn parse(line: &[u8]) -> Result<ProofRecord, String> {
    // A writer that was stopped in the middle left no end of line, or one that the next writer made.
    let broken = |error: serde_json::Error| {
        if error.is_eof() {
            "torn: its writer was stopped in the middle".to_owned()
        } else {
            format!("not a record: {error}")
        }
    };
    let version = serde_json::from_slice::<Version>(line);
    match version {
        Ok(Version { v: VERSION }) => serde_json::from_slice(line).map_err(broken),
        Ok(Version { v }) => Err(format!("written in version {v}, this program reads version {VERSION}")),
        Err(error) if error.is_eof() => Err(broken(error)),
        Err(_) => Err("not a record".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::actor::Actor;
    use crate::model::proof::{Level, ProofOutcome};
    use std::os::unix::fs::PermissionsExt as _;

    fn record(detail: &str) -> ProofRecord {
        ProofRecord {
            backup: "orders-full-20261121T020000Z".into(),
            store: "local".into(),
            path: "orders.dump".to_owned(),
            level: Level::L4,
            wanted: Level::L4,
            outcome: ProofOutcome::Passed,
            at: "2026-11-21T02:15:00Z".parse().unwrap(),
            actor: Actor { name: "ops".to_owned(), host: "db1".to_owned(), pid: 7 },
            tool: "relight".to_owned(),
            detail: detail.to_owned(),
            size_bytes: 42,
            pin: Some("etag".to_owned()),
            sha256: None,
            facts: std::iter::once(("tables".to_owned(), "3".to_owned())).collect(),
        }
    }

    #[test]
    fn what_is_appended_is_read_back_in_order_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::in_state(folder.path());
        assert_eq!(ledger.read().unwrap(), Proofs::default());
        ledger.append(&record("one\nline")).unwrap();
        ledger.append(&record("two")).unwrap();
        let proofs = ledger.read().unwrap();
        assert_eq!(proofs.records, [record("one\nline"), record("two")]);
        assert_eq!(proofs.problems, []);
        assert_eq!(std::fs::metadata(ledger.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_torn_line_is_kept_and_reported_and_hides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::in_state(folder.path());
        ledger.append(&record("one")).unwrap();
        let whole = std::fs::read(ledger.path()).unwrap();
        for cut in 1..whole.len() - 1 {
            std::fs::write(ledger.path(), [whole.as_slice(), &whole[..cut]].concat()).unwrap();
            let torn = ledger.read().unwrap();
            assert_eq!((torn.records.len(), torn.problems.len()), (1, 1), "cut at {cut}");
            assert!(torn.problems[0].what.starts_with("torn"));
            ledger.append(&record("after")).unwrap();
            let after = ledger.read().unwrap();
            assert_eq!(after.records, [record("one"), record("after")], "cut at {cut}");
            assert_eq!(after.problems.len(), 1);
            assert_eq!(after.problems[0].line, 2);
        }
    }

    #[test]
    fn lines_of_other_versions_and_rubbish_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::in_state(folder.path());
        let long = "x".repeat(LONGEST as usize + 10);
        std::fs::write(ledger.path(), format!("{{\"v\": 2, \"new\": true}}\nrubbish\n{long}\n\n")).unwrap();
        ledger.append(&record("one")).unwrap();
        let proofs = ledger.read().unwrap();
        assert_eq!(proofs.records.len(), 1);
        let whats: Vec<_> = proofs.problems.iter().map(|p| (p.line, p.what.as_str())).collect();
        assert_eq!(
            whats,
            [
                (1, "written in version 2, this program reads version 1"),
                (2, "not a record"),
                (3, "far too long to be a record")
            ]
        );
    }

    #[test]
    fn writers_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::in_state(folder.path());
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let ledger = ledger.clone();
                scope.spawn(move || (0..25).for_each(|n| ledger.append(&record(&format!("{writer}/{n}"))).unwrap()));
            }
        });
        let proofs = ledger.read().unwrap();
        assert_eq!((proofs.records.len(), proofs.problems.len()), (100, 0));
    }
}
