//! Why a reading stopped: a definite no about the bytes, or something that says nothing about them.

use crate::stores::StoreError;
use std::io;

/// What was learned when a reader could not go on. Only [`Fault::Bad`] is a verdict about the backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes are wrong. `at` counts bytes of the innermost decoded stream, where it is known.
    #[error("{what}{}", .at.map(|n| format!(" (at byte {n} of the decoded content)")).unwrap_or_default())]
    Bad { what: String, at: Option<u64> },
    /// Intact as far as one can tell, but this program cannot look inside.
    #[error("{0}")]
    Closed(String),
    /// Reading on would cost more than the limits allow.
    #[error("{0}")]
    Limit(String),
    /// The store, or the line to it, failed.
    #[error("{0}")]
    Lost(#[from] Box<StoreError>),
    /// What fed the reader went away without an end.
    #[error("the reading of the store broke off without a reason")]
    Orphaned,
    #[error("cancelled")]
    Cancelled,
}

/// A reason to stop that travels through decoders inside an [`io::Error`].
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
struct Carried(Fault);

impl Fault {
    pub fn bad(what: impl Into<String>) -> Self {
        Fault::Bad { what: what.into(), at: None }
    }

    pub fn bad_at(what: impl Into<String>, at: u64) -> Self {
        Fault::Bad { what: what.into(), at: Some(at) }
    }

    /// Packs the fault so that a decoder hands it on unharmed; [`Fault::from_io`] unpacks it.
    pub fn into_io(self) -> io::Error {
        io::Error::other(Carried(self))
    }

    /// The fault behind an error of a reader. `doing` completes "ended in the middle of …" and names
    /// what was read in other errors. `at` is the position in the decoded content.
    pub fn from_io(error: &io::Error, doing: &str, at: Option<u64>) -> Self {
        if let Some(carried) = error.get_ref().and_then(|inner| inner.downcast_ref::<Carried>()) {
            return carried.0.clone();
        }
        let what = match error.kind() {
            io::ErrorKind::Unsupported => return Fault::Closed(format!("{doing} cannot be opened: {error}")),
            io::ErrorKind::OutOfMemory => return Fault::Limit(format!("{doing} takes too much memory: {error}")),
            io::ErrorKind::UnexpectedEof => format!("the content ends in the middle of {doing}"),
            _ => format!("{doing}: {error}"),
        };
        Fault::Bad { what, at }
    }

    pub fn is_verdict(&self) -> bool {
        matches!(self, Fault::Bad { .. })
    }

    /// The same fault with `context` before its sentence, where it is about the bytes.
    #[must_use]
    pub fn within(self, context: &str) -> Self {
        match self {
            Fault::Bad { what, at } => Fault::Bad { what: format!("{context}: {what}"), at },
            Fault::Closed(what) => Fault::Closed(format!("{context}: {what}")),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_fault_survives_the_way_through_a_decoder() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(Fault::Cancelled.into_io())
            }
        }
        let mut out = Vec::new();
        let through = flate2::read::GzDecoder::new(Broken).read_to_end(&mut out).unwrap_err();
        assert_eq!(Fault::from_io(&through, "gzip", None), Fault::Cancelled);
        let mut decoder = zstd::stream::read::Decoder::new(Broken).unwrap();
        let through = decoder.read_to_end(&mut out).unwrap_err();
        assert_eq!(Fault::from_io(&through, "zstd", None), Fault::Cancelled);
    }
}
