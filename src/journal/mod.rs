//! The append-only, hash-chained record of a run; the run *is* its journal.
//!
//! # Format
//!
//! `journal.jsonl` holds one entry per line:
//!
//! ```text
//! {"hash":"<64 hexadecimal digits>","body":<the event, one JSON object>}
//! ```
//!
//! The hash is SHA-256 over the previous line's 64 digits (64 zeros before the first line) followed by
//! the exact bytes of the body, that is the line from its 83rd byte up to, not including, the last `}`.
//! Line 2 is checked without Relight by
//!
//! ```text
//! prev=$(sed -n 1p journal.jsonl | cut -b10-73)
//! body=$(sed -n 2p journal.jsonl | cut -b83- | sed 's/}$//')
//! printf '%s%s' "$prev" "$body" | openssl dgst -sha256
//! sed -n 2p journal.jsonl | cut -b10-73
//! ```
//!
//! `journal.head` names the last acknowledged entry, `<20 digits of its number> <its hash>`: a journal that
//! ends before it was cut. A line that a crash left half written was never acknowledged, so nothing was
//! done on its account; it is set aside to `journal.torn-N`, never dropped.

mod chained;
mod error;
mod file;
pub mod lease;
mod line;
mod memory;
pub mod mirror;
mod scan;

pub use chained::{ChainedJournal, Disk, Opened};
pub use error::JournalError;
pub use file::{FileJournal, HEAD, JOURNAL, Verified, read, verify};
pub use memory::MemoryJournal;
pub use scan::{Damage, Head};

use crate::event::Event;

/// Where events go before anything acts on them.
pub trait Journal: Send {
    /// Returns once the event is on disk. After an error it is not part of the journal, and nothing may act on
    /// it.
    fn append(&mut self, event: &Event) -> Result<(), JournalError>;
}
