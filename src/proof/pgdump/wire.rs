//! The primitive values of the archive format: signed integers with their own sign byte, counted
//! strings, offsets. Everything is bounded before memory is taken.

use crate::proof::fault::Fault;
use std::io::Read;

/// Longest text that is kept; longer ones are a sign of damage in what they are used for.
const LONGEST_KEPT: u64 = 1 << 20;

pub struct Wire<R> {
    reader: R,
    /// Bytes read so far: positions in the dump.
    pub at: u64,
    /// Width of an integer in this file, from the header.
    pub int_size: u8,
    pub offset_size: u8,
}

impl<R: Read> Wire<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, at: 0, int_size: 4, offset_size: 8 }
    }

    pub fn fill(&mut self, out: &mut [u8], doing: &str) -> Result<(), Fault> {
        self.reader.read_exact(out).map_err(|e| Fault::from_io(&e, doing, Some(self.at)))?;
        self.at += out.len() as u64;
        Ok(())
    }

    pub fn byte(&mut self, doing: &str) -> Result<u8, Fault> {
        let mut one = [0];
        self.fill(&mut one, doing)?;
        Ok(one[0])
    }

    /// The next byte, or `None` at the end of the content.
    pub fn byte_or_end(&mut self, doing: &str) -> Result<Option<u8>, Fault> {
        let mut one = [0];
        loop {
            match self.reader.read(&mut one) {
                Ok(0) => return Ok(None),
                Ok(_) => {
                    self.at += 1;
                    return Ok(Some(one[0]));
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Fault::from_io(&e, doing, Some(self.at))),
            }
        }
    }

    /// A sign byte and `int_size` bytes, least significant first.
    pub fn int(&mut self, doing: &str) -> Result<i64, Fault> {
        let start = self.at;
        let mut bytes = [0_u8; 9];
        let width = 1 + usize::from(self.int_size.min(8));
        self.fill(&mut bytes[..width], doing)?;
        let magnitude = little_endian(&bytes[1..width]);
        match (bytes[0], i64::try_from(magnitude)) {
            (0, Ok(value)) => Ok(value),
            (1, Ok(value)) => Ok(-value),
            _ => Err(Fault::bad_at(format!("{doing}: not an integer of this format"), start)),
        }
    }

    /// A count or identifier that must fit 32 bits and not be negative.
    pub fn small(&mut self, doing: &str) -> Result<u32, Fault> {
        let start = self.at;
        let value = self.int(doing)?;
        u32::try_from(value)
            .ok()
            .filter(|n| i32::try_from(*n).is_ok())
            .ok_or_else(|| Fault::bad_at(format!("{doing}: {value} is out of range"), start))
    }

    /// Length of the string that follows; `None` for the null string.
    fn string_length(&mut self, doing: &str) -> Result<Option<u64>, Fault> {
        let start = self.at;
        match self.int(doing)? {
            -1 => Ok(None),
            n if (0..=i64::from(i32::MAX)).contains(&n) => Ok(Some(n.unsigned_abs())),
            n => Err(Fault::bad_at(format!("{doing}: a text of {n} bytes is impossible"), start)),
        }
    }

    /// A text that is kept. Bytes that are not UTF-8 are replaced: names are for people here.
    pub fn text(&mut self, doing: &str) -> Result<Option<String>, Fault> {
        let start = self.at;
        let Some(length) = self.string_length(doing)? else { return Ok(None) };
        if length > LONGEST_KEPT {
            return Err(Fault::bad_at(format!("{doing}: a text of {length} bytes is impossible here"), start));
        }
        let mut bytes = Vec::new();
        self.reader
            .by_ref()
            .take(length)
            .read_to_end(&mut bytes)
            .map_err(|e| Fault::from_io(&e, doing, Some(self.at)))?;
        self.at += bytes.len() as u64;
        if (bytes.len() as u64) < length {
            return Err(Fault::bad_at(format!("the content ends in the middle of {doing}"), self.at));
        }
        if bytes.contains(&0) {
            return Err(Fault::bad_at(format!("{doing}: a zero byte within a text"), start));
        }
        Ok(Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
        }))
    }

    /// A text that may be long: passed to `see` piece by piece and not kept.
    pub fn long_text(&mut self, doing: &str, mut see: impl FnMut(&[u8])) -> Result<bool, Fault> {
        let Some(length) = self.string_length(doing)? else { return Ok(false) };
        self.bytes(length, doing, |piece| {
            see(piece);
            Ok(())
        })?;
        Ok(true)
    }

    /// Exactly `length` bytes, passed on in pieces.
    pub fn bytes(
        &mut self,
        length: u64,
        doing: &str,
        mut see: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut piece = [0_u8; 16 * 1024];
        let mut left = length;
        while left > 0 {
            let n = left.min(piece.len() as u64) as usize;
            self.fill(&mut piece[..n], doing)?;
            see(&piece[..n])?;
            left -= n as u64;
        }
        Ok(())
    }

    /// A file position, least significant byte first.
    pub fn offset(&mut self, doing: &str) -> Result<u64, Fault> {
        let start = self.at;
        let mut bytes = [0_u8; 32];
        let width = usize::from(self.offset_size).min(bytes.len());
        self.fill(&mut bytes[..width], doing)?;
        if bytes[8..].iter().any(|b| *b != 0) {
            return Err(Fault::bad_at(format!("{doing}: a position beyond 64 bits"), start));
        }
        Ok(little_endian(&bytes[..8]))
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
