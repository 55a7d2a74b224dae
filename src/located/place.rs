//! A stretch of a file's bytes, and a value that remembers the stretch it was read from.

use std::ops::{Deref, Range};

/// Bytes of the file that is being read. [`Place::WHOLE`] means the file itself, no line of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Place {
    /// The file as a whole: shown without a line.
    pub const WHOLE: Self = Self { start: usize::MAX, end: usize::MAX };

    pub(super) fn is_whole(self) -> bool {
        self.start == usize::MAX
    }
}

impl From<Range<usize>> for Place {
    fn from(span: Range<usize>) -> Self {
        Self { start: span.start, end: span.end }
    }
}

/// A value with its place. Reads like the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    pub place: Place,
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
