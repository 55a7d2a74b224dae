//! The journal of a run directory.

use super::line;
use super::scan::{Damage, HEAD_LENGTH, Head, Scan, scan};
use super::{Journal, JournalError};
use crate::event::Event;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub const JOURNAL: &str = "journal.jsonl";
pub const HEAD: &str = "journal.head";

/// Largest journal that is read, in bytes: far beyond any run, within any memory.
const MAX_BYTES: u64 = 256 << 20;

#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    file: File,
    head: File,
    length: u64,
    seq: u64,
    hash: String,
    broken: bool,
}

/// An opened journal with all that it says.
#[derive(Debug)]
pub struct Opened {
    pub journal: FileJournal,
    pub events: Vec<Event>,
    /// Where a half-written last line was set aside.
    pub torn: Option<PathBuf>,
}

/// What a check found.
#[derive(Debug)]
pub struct Verified {
    pub entries: u64,
    pub damage: Vec<Damage>,
    /// Whether an unacknowledged last line is there that a crash left.
    pub torn: bool,
}

impl FileJournal {
    /// A new journal in `dir`; fails if there is one.
    pub fn create(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(JOURNAL);
        let new = |path: &Path| {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            file.map_err(|error| JournalError::io("created", path, error))
        };
        let (file, head) = (new(&path)?, new(&dir.join(HEAD))?);
        let mut journal = Self { path, file, head, length: 0, seq: 0, hash: line::ZERO.to_owned(), broken: false };
        journal.write_head()?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| journal.io("created", error))?;
        Ok(journal)
    }

    /// Opens the journal of `dir` to go on with it. A damaged one is refused; a half-written last line is set
    /// aside.
    pub fn open(dir: &Path) -> Result<Opened, JournalError> {
        let path = dir.join(JOURNAL);
        let bytes = bytes_of(&path)?;
        let Scan { events, hash, good, torn, damage } = scan(&bytes, head_of(dir).as_ref());
        if !damage.is_empty() {
            return Err(JournalError::Damaged { path, found: damage });
        }
        let broken = |error| JournalError::io("opened", &path, error);
        let file = OpenOptions::new().write(true).open(&path).map_err(broken)?;
        let torn = if torn { Some(set_aside(dir, &bytes[good..]).map_err(broken)?) } else { None };
        file.set_len(good as u64).and_then(|()| file.sync_all()).map_err(broken)?;
        let head = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(dir.join(HEAD));
        let head = head.map_err(broken)?;
        let seq = events.len() as u64;
        let mut journal = Self { path, file, head, length: good as u64, seq, hash, broken: false };
        journal.file.seek(SeekFrom::End(0)).map_err(|error| journal.io("opened", error))?;
        journal.write_head()?;
        Ok(Opened { journal, events, torn })
    }

    fn io(&self, doing: &'static str, error: io::Error) -> JournalError {
        JournalError::io(doing, &self.path, error)
    }

    fn write_head(&mut self) -> Result<(), JournalError> {
        let text = Head::encode(self.seq, &self.hash);
        self.head
            .write_all_at(text.as_bytes(), 0)
            .and_then(|()| self.head.sync_data())
            .map_err(|error| self.io("written", error))
    }

    /// Takes back a line that could not be written whole.
    fn roll_back(&mut self) {
        let back = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
        self.broken = back.is_err();
    }
}

impl Journal for FileJournal {
    fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken { path: self.path.clone() });
        }
        if event.seq != self.seq + 1 {
            return Err(JournalError::Order { after: self.seq, found: event.seq });
        }
        let (line, hash) = line::encode(&self.hash, event)?;
        if let Err(error) = self.file.write_all(&line) {
            self.roll_back();
            return Err(self.io("written", error));
        }
        // After a failed flush nobody knows what is on disk: only reading it anew tells.
        if let Err(error) = self.file.sync_data() {
            self.broken = true;
            return Err(self.io("flushed", error));
        }
        self.length += line.len() as u64;
        self.seq = event.seq;
        self.hash = hash;
        self.write_head().inspect_err(|_| self.broken = true)
    }
}

/// All events of a run's journal, for those who only look. A half-written last line is left alone.
pub fn read(dir: &Path) -> Result<Vec<Event>, JournalError> {
    let scan = look(dir)?;
    let path = dir.join(JOURNAL);
    if scan.damage.is_empty() { Ok(scan.events) } else { Err(JournalError::Damaged { path, found: scan.damage }) }
}

/// Checks every line and the end of a run's journal.
pub fn verify(dir: &Path) -> Result<Verified, JournalError> {
    let scan = look(dir)?;
    Ok(Verified { entries: scan.events.len() as u64, damage: scan.damage, torn: scan.torn })
}

/// A look at a journal that may be in use. The head is read first: the journal may grow in between, never
/// shrink. It is overwritten in place, so that one read in that instant may be half old: what looks like
/// damage is looked at twice.
fn look(dir: &Path) -> Result<Scan, JournalError> {
    let once = || {
        let head = head_of(dir);
        Ok(scan(&bytes_of(&dir.join(JOURNAL))?, head.as_ref()))
    };
    let first = once()?;
    if first.damage.is_empty() { Ok(first) } else { once() }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, JournalError> {
    let broken = |error| JournalError::io("read", path, error);
    let mut bytes = Vec::new();
    let read = File::open(path).map_err(broken)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(broken)?;
    if read as u64 > MAX_BYTES {
        return Err(broken(io::Error::other(format!("it is larger than {MAX_BYTES} bytes"))));
    }
    Ok(bytes)
}

fn head_of(dir: &Path) -> Option<Head> {
    let mut text = String::new();
    File::open(dir.join(HEAD)).ok()?.take(HEAD_LENGTH as u64 + 1).read_to_string(&mut text).ok()?;
    Head::decode(&text)
}

fn set_aside(dir: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    for number in 1..1000 {
        let path = dir.join(format!("journal.torn-{number}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                file.write_all(bytes)?;
                file.sync_all()?;
                File::open(dir)?.sync_all()?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("a thousand half-written lines were set aside already"))
}
