//! A place that several machines write to: entries that are created once, and registers that change hands
//! by compare-and-swap. Both rest on a promise of the server, which [`probe`] puts to the test.

use super::error::{StoreError, StoreErrorKind};
use bytes::Bytes;
use std::fmt;

/// Longest entry, in bytes: the first line of a journal holds a whole plan.
pub const MAX_ENTRY: u64 = 32 << 20;
/// Longest content of a register, in bytes.
pub const MAX_REGISTER: u64 = 64 << 10;
/// Most names that a listing gives.
pub const MAX_NAMES: usize = 200_000;

/// The mark of one version of a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub String);

/// A register as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    pub bytes: Bytes,
    pub tag: Tag,
}

#[async_trait::async_trait]
pub trait SharedPlace: Send + Sync + fmt::Debug {
    /// For people; never a secret.
    fn location(&self) -> String;

    /// Writes a new entry whole; [`StoreErrorKind::AlreadyExists`] if the name is taken.
    async fn create(&self, name: &str, bytes: Bytes) -> Result<(), StoreError>;

    async fn read(&self, name: &str) -> Result<Bytes, StoreError>;

    /// Names of entries below `prefix`, sorted.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// `None` where nobody has written it yet.
    async fn register(&self, name: &str) -> Result<Option<Register>, StoreError>;

    /// Writes the register if it still is what `old` marks, or if it is not there and `old` is `None`;
    /// otherwise [`StoreErrorKind::Changed`], and nothing is written. After any other error nobody knows.
    async fn swap(&self, name: &str, old: Option<&Tag>, bytes: Bytes) -> Result<Tag, StoreError>;

    /// Names of registers below `prefix`, sorted.
    async fn registers(&self, prefix: &str) -> Result<Vec<String>, StoreError>;
}

/// Why a place cannot be trusted with leases.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("{place} does not keep its word: {what}; two machines could hold the same lease there")]
    Broken { place: String, what: &'static str },
    #[error("{place} could not be put to the test: {source}")]
    Unknown { place: String, source: StoreError },
}

/// Some servers take conditions and ignore them. Writes to a register of its own, named by `mark`, what must
/// be refused and what must not.
pub async fn probe(place: &dyn SharedPlace, mark: &str) -> Result<(), ProbeError> {
    let name = format!("probe/{mark}");
    let unknown = |source| ProbeError::Unknown { place: place.location(), source };
    let broken = |what| ProbeError::Broken { place: place.location(), what };
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    let refused = |answer: Result<Tag, StoreError>, what| match answer {
        Err(error) if error.kind == StoreErrorKind::Changed => Ok(()),
        Err(error) => Err(unknown(error)),
        Ok(_) => Err(broken(what)),
    };
    let first = match place.register(&name).await.map_err(unknown)? {
        Some(found) => found.tag,
        None => place.swap(&name, None, text("first")).await.map_err(unknown)?,
    };
    let again = place.swap(&name, None, text("created twice")).await;
    refused(again, "it lets a name be created twice (it ignores If-None-Match)")?;
    let second = place.swap(&name, Some(&first), text("second\n")).await.map_err(unknown)?;
    let stale = place.swap(&name, Some(&first), text("third, over a version that is gone")).await;
    refused(stale, "it replaces what has changed meanwhile (it ignores If-Match)")?;
    match place.register(&name).await.map_err(unknown)? {
        Some(now) if now.tag == second && now.bytes == text("second\n") => {}
        _ => return Err(broken("what was written is not what is read")),
    }
    // Back to the first content, so that the next probe of the same mark begins alike.
    place.swap(&name, Some(&second), text("first")).await.map_err(unknown).map(|_| ())
}
