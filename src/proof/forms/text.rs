//! Plain text and CSV: there is no container to open, so reading it proves only that it is text.

use crate::proof::fault::Fault;
use std::io::BufRead;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    pub lines: u64,
    pub bytes: u64,
    /// Bytes that no text has.
    pub binary: bool,
}

pub fn read(mut reader: impl BufRead) -> Result<Lines, Fault> {
    let mut found = Lines::default();
    loop {
        let piece = reader.fill_buf().map_err(|e| Fault::from_io(&e, "the text", Some(found.bytes)))?;
        if piece.is_empty() {
            return Ok(found);
        }
        found.lines += memchr::memchr_iter(b'\n', piece).count() as u64;
        found.binary |= memchr::memchr(0, piece).is_some();
        let n = piece.len();
        found.bytes += n as u64;
        reader.consume(n);
    }
}
