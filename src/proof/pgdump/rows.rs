//! Rows in COPY text: lines up to the end mark `\.`, counted without keeping any.

use serde::Serialize;

/// Rows of one table as the dump holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowCount {
    pub schema: String,
    pub table: String,
    /// Absent where the data is not COPY text.
    pub rows: Option<u64>,
}

/// A counter that is fed COPY text in pieces of any size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyRows {
    pub rows: u64,
    /// The end mark was seen; only blank lines may follow.
    pub ended: bool,
    /// Something other than blank lines came after the end mark.
    pub overrun: bool,
    line_length: usize,
    line_start: [u8; 3],
}

impl CopyRows {
    pub fn see(&mut self, piece: &[u8]) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            self.part_of_line(&piece[start..end]);
            self.end_of_line();
            start = end + 1;
        }
        self.part_of_line(&piece[start..]);
    }

    fn part_of_line(&mut self, part: &[u8]) {
        for (at, byte) in part.iter().take(3).enumerate() {
            if let Some(slot) = self.line_start.get_mut(self.line_length + at) {
                *slot = *byte;
            }
        }
        self.line_length += part.len();
        self.overrun |= self.ended && !part.is_empty();
    }

    fn end_of_line(&mut self) {
        if !self.ended {
            if self.line_length == 2 && self.line_start.starts_with(b"\\.") {
                self.ended = true;
            } else {
                self.rows += 1;
            }
        }
        self.line_length = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_however_the_text_is_cut() {
        let text = b"1\ta\\nb\n2\t\n\\.x\n\n\\\\.\n\\.\n\n\n";
        for size in 1..text.len() {
            let mut rows = CopyRows::default();
            text.chunks(size).for_each(|piece| rows.see(piece));
            assert_eq!((rows.rows, rows.ended, rows.overrun), (5, true, false), "pieces of {size}");
        }
        let mut rows = CopyRows::default();
        rows.see(b"1\n2");
        assert_eq!((rows.rows, rows.ended), (1, false));
        rows.see(b"\n\\.\nx\n");
        assert!(rows.overrun);
    }
}
