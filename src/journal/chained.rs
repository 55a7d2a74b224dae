//! The journal's own logic, over whatever holds its bytes: numbers, chain, head, and what may be believed
//! after a write that failed.

use super::line;
use super::scan::{Head, Scan, scan};
use super::{Journal, JournalError};
use crate::event::Event;
use std::io;
use std::path::{Path, PathBuf};

/// What a journal lies on: one file that grows, and its head.
pub trait Disk: Send {
    /// Writes at the end. After an error a part of `bytes` may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Ends the file after `length` bytes; the next bytes follow there.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Returns once everything appended and cut outlives a loss of power.
    fn flush(&mut self) -> io::Result<()>;
    /// Overwrites the head; returns once that outlives a loss of power.
    fn write_head(&mut self, text: &str) -> io::Result<()>;
    /// Keeps bytes that do not belong to the journal; says where.
    fn set_aside(&mut self, bytes: &[u8]) -> io::Result<PathBuf>;
}

#[derive(Debug)]
pub struct ChainedJournal<D> {
    path: PathBuf,
    disk: D,
    length: u64,
    seq: u64,
    hash: String,
    broken: bool,
}

/// An opened journal with all that it says.
#[derive(Debug)]
pub struct Opened<D> {
    pub journal: ChainedJournal<D>,
    pub events: Vec<Event>,
    /// Where a half-written last line was set aside.
    pub torn: Option<PathBuf>,
}

impl<D: Disk> ChainedJournal<D> {
    /// A new journal on an empty disk; `path` is for messages.
    pub fn begin(disk: D, path: &Path) -> Result<Self, JournalError> {
        let mut journal =
            Self { path: path.to_owned(), disk, length: 0, seq: 0, hash: line::ZERO.to_owned(), broken: false };
        journal.write_head()?;
        Ok(journal)
    }

    /// Goes on with the journal that `bytes` and `head` are. A damaged one is refused before `disk` is opened;
    /// a half-written last line is set aside.
    pub fn take_up(
        path: &Path,
        bytes: &[u8],
        head: Option<&Head>,
        disk: impl FnOnce() -> Result<D, JournalError>,
    ) -> Result<Opened<D>, JournalError> {
        let path = path.to_owned();
        let Scan { events, hash, good, torn, damage } = scan(bytes, head);
        if !damage.is_empty() {
            return Err(JournalError::Damaged { path, found: damage });
        }
        let mut disk = disk()?;
        let broken = |error| JournalError::io("opened", &path, error);
        let torn = if torn { Some(disk.set_aside(&bytes[good..]).map_err(broken)?) } else { None };
        let length = good as u64;
        disk.cut(length).and_then(|()| disk.flush()).map_err(broken)?;
        let seq = events.len() as u64;
        let mut journal = Self { path, disk, length, seq, hash, broken: false };
        journal.write_head()?;
        Ok(Opened { journal, events, torn })
    }

    fn io(&self, doing: &'static str, error: io::Error) -> JournalError {
        JournalError::io(doing, &self.path, error)
    }

    fn write_head(&mut self) -> Result<(), JournalError> {
        let text = Head::encode(self.seq, &self.hash);
        self.disk.write_head(&text).map_err(|error| self.unsure("written", error))
    }

    /// An error after which the line may be on disk all the same: it never passes by itself, even where no
    /// space was left.
    fn unsure(&self, doing: &'static str, source: io::Error) -> JournalError {
        JournalError::Io { doing, path: self.path.clone(), source }
    }
}

impl<D: Disk> Journal for ChainedJournal<D> {
    fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken { path: self.path.clone() });
        }
        if event.seq != self.seq + 1 {
            return Err(JournalError::Order { after: self.seq, found: event.seq });
        }
        let (line, hash) = line::encode(&self.hash, event)?;
        if let Err(error) = self.disk.append(&line) {
            self.broken = self.disk.cut(self.length).is_err();
            return Err(self.io("written", error));
        }
        // After a failed flush nobody knows what is on disk: only reading it anew tells.
        if let Err(error) = self.disk.flush() {
            self.broken = true;
            return Err(self.unsure("flushed", error));
        }
        self.length += line.len() as u64;
        self.seq = event.seq;
        self.hash = hash;
        self.write_head().inspect_err(|_| self.broken = true)
    }
}
