//! The journal of a run directory.

use super::JournalError;
use super::chained::{ChainedJournal, Disk, Opened};
use super::scan::{Damage, HEAD_LENGTH, Head, Scan, scan};
use crate::event::Event;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub const JOURNAL: &str = "journal.jsonl";
pub const HEAD: &str = "journal.head";

/// Largest journal that is read, in bytes: far beyond any run, within any memory.
const MAX_BYTES: u64 = 256 << 20;

/// The journal of a run's folder.
pub type FileJournal = ChainedJournal<Folder>;

/// A journal's two files.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    file: File,
    head: File,
}

impl Disk for Folder {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length)).map(|_| ())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write_head(&mut self, text: &str) -> io::Result<()> {
        self.head.write_all_at(text.as_bytes(), 0)?;
        self.head.sync_data()
    }

    fn set_aside(&mut self, bytes: &[u8]) -> io::Result<PathBuf> {
        set_aside(&self.dir, bytes)
    }
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
        let journal = Self::begin(Folder { dir: dir.to_owned(), file, head }, &path)?;
        let folder = File::open(dir).and_then(|dir| dir.sync_all());
        folder.map_err(|error| JournalError::io("created", &path, error))?;
        Ok(journal)
    }

    /// A new journal in `dir` with the lines of a checked copy, whose last has this number and hash.
    pub fn adopt(dir: &Path, lines: &[bytes::Bytes], seq: u64, hash: &str) -> Result<Opened<Folder>, JournalError> {
        let put = |name: &str, bytes: &[u8]| {
            let path = dir.join(name);
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
            written.map_err(|error| JournalError::io("written", &path, error))
        };
        put(JOURNAL, &lines.concat())?;
        put(HEAD, Head::encode(seq, hash).as_bytes())?;
        Self::open(dir)
    }

    /// Opens the journal of `dir` to go on with it. A damaged one is refused; a half-written last line is set
    /// aside.
    pub fn open(dir: &Path) -> Result<Opened<Folder>, JournalError> {
        let path = dir.join(JOURNAL);
        let bytes = bytes_of(&path)?;
        let open = |path: &Path, new: bool| {
            let file = OpenOptions::new().write(true).create(new).truncate(false).mode(0o600).open(path);
            file.map_err(|error| JournalError::io("opened", path, error))
        };
        let head = head_of(dir);
        Self::take_up(&path, &bytes, head.as_ref(), || {
            Ok(Folder { dir: dir.to_owned(), file: open(&path, false)?, head: open(&dir.join(HEAD), true)? })
        })
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
