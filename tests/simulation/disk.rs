//! A disk under a journal: it fills up, loses power in any operation, tears the last line, and may lie
//! about what it flushed.

use crate::dice::Dice;
use relight::event::Event;
use relight::journal::{ChainedJournal, Disk, Journal, JournalError};
use std::io::{Error, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Debug)]
pub struct Platter {
    /// What any reader sees.
    pub bytes: Vec<u8>,
    pub head: String,
    /// What outlives a loss of power.
    safe: usize,
    safe_lines: u64,
    safe_head: String,
    /// Operations until the power goes; the last one may be done in part.
    pub power_for: Option<usize>,
    /// Nothing more is written by whoever has it open.
    pub dead: bool,
    /// Something was tried after that, or half done: who goes on must read it anew.
    pub unsure: bool,
    pub full: bool,
    pub flush_fails: bool,
    /// Says that it flushed, and did not.
    pub lies: bool,
    dice: Dice,
}

impl Platter {
    pub fn new(dice: Dice) -> Self {
        Self {
            bytes: Vec::new(),
            head: String::new(),
            safe: 0,
            safe_lines: 0,
            safe_head: String::new(),
            power_for: None,
            dead: false,
            unsure: false,
            full: false,
            flush_fails: false,
            lies: false,
            dice,
        }
    }

    /// Lines that are safe.
    pub fn safe_lines(&self) -> u64 {
        self.safe_lines
    }

    fn all_is_safe(&mut self) {
        let lines = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.safe_lines += lines(&self.bytes[self.safe..]);
        self.safe = self.bytes.len();
    }

    /// How many bytes of what was not flushed are left after the power was away. True if the disk lied.
    pub fn lose_power(&mut self) -> bool {
        let loose = self.bytes.len() - self.safe.min(self.bytes.len());
        let kept = self.dice.below(loose + 1);
        let lost = loose - kept;
        self.bytes.truncate(self.bytes.len() - lost);
        if self.dice.percent(50) {
            self.head.clone_from(&self.safe_head);
        }
        self.unsure = true;
        self.all_is_safe();
        self.safe_head.clone_from(&self.head);
        self.lies
    }

    /// Someone opens it anew.
    pub fn opened(&mut self) {
        self.dead = false;
        self.unsure = false;
        self.power_for = None;
    }

    /// Whether the operation can be done; `Err` with the part of it that still happens.
    fn operate(&mut self, size: usize) -> Result<(), (usize, Error)> {
        if self.dead {
            self.unsure = true;
            return Err((0, Error::other("the runner is dead")));
        }
        if let Some(left) = &mut self.power_for {
            if *left == 0 {
                self.dead = true;
                self.unsure = true;
                return Err((self.dice.below(size + 1), Error::other("the power is gone")));
            }
            *left -= 1;
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub struct Shared(pub Arc<Mutex<Platter>>);

impl Shared {
    pub fn look(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap()
    }
}

impl Disk for Shared {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut platter = self.look();
        if let Err((part, error)) = platter.operate(bytes.len()) {
            platter.bytes.extend_from_slice(&bytes[..part]);
            return Err(error);
        }
        if platter.full {
            let part = platter.dice.below(bytes.len());
            platter.bytes.extend_from_slice(&bytes[..part]);
            return Err(ErrorKind::StorageFull.into());
        }
        platter.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn cut(&mut self, length: u64) -> std::io::Result<()> {
        let mut platter = self.look();
        platter.operate(0).map_err(|(_, error)| error)?;
        platter.bytes.truncate(length as usize);
        if platter.safe > length as usize {
            (platter.safe, platter.safe_lines) = (0, 0);
            platter.all_is_safe();
        }
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let mut platter = self.look();
        platter.operate(0).map_err(|(_, error)| error)?;
        if std::mem::take(&mut platter.flush_fails) {
            platter.unsure = true;
            return Err(if platter.dice.percent(50) { ErrorKind::StorageFull.into() } else { Error::other("flush") });
        }
        if !platter.lies {
            platter.all_is_safe();
        }
        Ok(())
    }

    fn write_head(&mut self, text: &str) -> std::io::Result<()> {
        let mut platter = self.look();
        platter.operate(0).map_err(|(_, error)| error)?;
        text.clone_into(&mut platter.head);
        if !platter.lies || platter.dice.percent(50) {
            text.clone_into(&mut platter.safe_head);
        }
        Ok(())
    }

    fn set_aside(&mut self, _: &[u8]) -> std::io::Result<PathBuf> {
        self.look().operate(0).map_err(|(_, error)| error)?;
        Ok("torn".into())
    }
}

/// A journal that outlives the runner that writes it: where no operation was cut in two, the next runner may
/// go on without reading it.
#[derive(Clone, Debug)]
pub struct Kept(pub Arc<Mutex<ChainedJournal<Shared>>>);

impl Journal for Kept {
    fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        self.0.lock().unwrap().append(event)
    }
}
