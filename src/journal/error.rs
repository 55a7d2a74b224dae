//! Why a journal could not be written or read.

use super::scan::Damage;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal {} cannot be {doing}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("the journal {} cannot grow: no space is left; nothing acts until it can be written again", path.display())]
    Full { path: PathBuf },
    #[error(
        "the journal {} failed while it was written, and its end is not known any more; resume the run to read it anew",
        path.display()
    )]
    Broken { path: PathBuf },
    #[error("entry {found} was to follow entry {after}")]
    Order { after: u64, found: u64 },
    #[error("the journal {} is damaged: {}", path.display(), damages(found))]
    Damaged { path: PathBuf, found: Vec<Damage> },
    #[error("an event could not be encoded: {0}")]
    Encode(#[from] serde_json::Error),
}

fn damages(found: &[Damage]) -> String {
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl JournalError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::StorageFull || source.kind() == io::ErrorKind::QuotaExceeded {
            return Self::Full { path: path.to_owned() };
        }
        Self::Io { doing, path: path.to_owned(), source }
    }

    /// Whether the same append may be tried again later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}
