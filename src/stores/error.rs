//! Store errors: a kind to decide by, and a sentence that names store and object.

use crate::model::id::StoreId;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreErrorKind {
    NotFound,
    Denied,
    ExpiredCredentials,
    /// No credentials were found at all.
    NoCredentials,
    Throttled,
    /// No answer: refused, reset, unresolved, timed out, or a server error that a retry may mend.
    Unreachable,
    ClockSkew,
    /// Bytes ended early or a checksum of the transport did not match.
    Corrupt,
    /// The object is no longer the one that was pinned.
    Changed,
    AlreadyExists,
    /// The bytes are in an archive class and must be thawed first.
    Archived,
    /// A legal hold or a retention of the store's own keeps the object.
    Locked,
    /// A name that this store cannot hold or must not follow (`..`, links out, devices).
    BadName,
    /// The store does not offer the operation.
    Unsupported,
    Other,
}

/// What went wrong with which object of which store. The message carries no secrets.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq, Serialize, Deserialize)]
#[error("store `{store}`{}: {message}", .object.as_ref().map(|o| format!(", object `{}`", crate::model::text::escaped(o))).unwrap_or_default())]
pub struct StoreError {
    pub kind: StoreErrorKind,
    pub store: StoreId,
    pub object: Option<String>,
    pub message: String,
    /// How often it was tried, with the time spent; 1 for a first failure.
    pub attempts: u32,
    pub spent: Duration,
}

impl StoreError {
    pub fn new(kind: StoreErrorKind, store: &StoreId, object: Option<&str>, message: impl Into<String>) -> Self {
        Self {
            kind,
            store: store.clone(),
            object: object.map(str::to_owned),
            message: message.into(),
            attempts: 1,
            spent: Duration::ZERO,
        }
    }

    /// The pinned object was replaced.
    pub(super) fn changed(store: &StoreId, name: &str) -> Self {
        let message = "the object is no longer the one that was chosen: its size, time or entity tag differs";
        Self::new(StoreErrorKind::Changed, store, Some(name), message)
    }

    pub(super) fn missing(store: &StoreId, name: &str) -> Self {
        Self::new(StoreErrorKind::NotFound, store, Some(name), "there is no such object")
    }

    /// The name of a new object is in use.
    pub(super) fn taken(store: &StoreId, name: &str) -> Self {
        Self::new(
            StoreErrorKind::AlreadyExists,
            store,
            Some(name),
            "an object of this name exists; it was left as it is",
        )
    }

    /// The body of a new object has not the length that was announced.
    pub(super) fn wrong_length(store: &StoreId, name: &str, size: u64, which: &str) -> Self {
        let message = format!("the body has {which} than the announced {size} bytes; nothing was written");
        Self::new(StoreErrorKind::Corrupt, store, Some(name), message)
    }

    /// A range read over the limit of [`MAX_RANGE`](super::MAX_RANGE).
    pub(super) fn range_too_long(store: &StoreId, name: &str) -> Self {
        let message = format!("a range of more than {} bytes was asked for at once", super::MAX_RANGE);
        Self::new(StoreErrorKind::Unsupported, store, Some(name), message)
    }

    /// Whether trying again soon can help.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Throttled | StoreErrorKind::Unreachable)
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> &'static str {
        match self.kind {
            StoreErrorKind::NotFound => {
                "Check bucket, prefix and path in the configuration; scan again to refresh the catalog."
            }
            StoreErrorKind::Denied => "The identity in use may not do this; `relight doctor` shows which one it is.",
            StoreErrorKind::ExpiredCredentials => "Log in again (for SSO: `aws sso login`), then scan again.",
            StoreErrorKind::NoCredentials => {
                "Set a profile, keys or the environment for this store; `relight doctor` lists what was tried."
            }
            StoreErrorKind::Throttled => "The server asks for fewer requests; wait a little and try again.",
            StoreErrorKind::Unreachable => "Check endpoint, network and DNS; the last known catalog stays on screen.",
            StoreErrorKind::ClockSkew => "This machine's clock differs from the server's; correct the clock.",
            StoreErrorKind::Corrupt => "Choose another copy or an older backup; do not restore this one.",
            StoreErrorKind::Changed => "The object was replaced after it was chosen; scan again and make a new plan.",
            StoreErrorKind::AlreadyExists => "Nothing was overwritten; choose another name.",
            StoreErrorKind::Archived => "Have it thawed first (`relight run thaw-backup`), or choose another copy.",
            StoreErrorKind::Locked => "It stays until the store itself lets it go; leave it out until then.",
            StoreErrorKind::BadName => "The name was refused for safety; look at the store by hand.",
            StoreErrorKind::Unsupported => "Use another store for this.",
            StoreErrorKind::Other => "See the log with -v for the full answer.",
        }
    }
}
