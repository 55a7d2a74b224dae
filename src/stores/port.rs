//! The port: what every store can do.

use super::bucket::Bucket;
use super::error::StoreError;
use crate::model::id::StoreId;
use crate::model::time::Timestamp;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;

/// What a listing or a head request tells of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMeta {
    /// Name below the store's root, `/` between parts, never starting with one. Untrusted text.
    pub name: String,
    pub size: u64,
    pub modified: Option<Timestamp>,
    /// Entity tag without quotes, where the store has one.
    pub etag: Option<String>,
    pub storage_class: Option<String>,
}

impl ObjectMeta {
    pub fn pin(&self) -> Pin {
        Pin { size: self.size, etag: self.etag.clone(), modified: self.modified }
    }
}

/// Most bytes that one [`Store::read_pieces`] gives; longer ranges are refused before memory is taken.
pub const MAX_RANGE: u64 = 64 << 20;

/// The identity of an object's bytes at one moment. A later read under this pin fails with
/// [`StoreErrorKind::Changed`](super::StoreErrorKind::Changed) if the object was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    pub size: u64,
    pub etag: Option<String>,
    pub modified: Option<Timestamp>,
}

impl Pin {
    /// Whether `meta` can still be the pinned object. Entity tags decide; without them size and time.
    pub fn holds(&self, meta: &ObjectMeta) -> bool {
        self.size == meta.size
            && match (&self.etag, &meta.etag) {
                (Some(pinned), Some(now)) => pinned == now,
                _ => self.modified == meta.modified,
            }
    }

    /// The pin as one line of text, for ledgers and digests.
    pub fn mark(&self) -> String {
        match (&self.etag, self.modified) {
            (Some(etag), _) => etag.clone(),
            (None, Some(at)) => at.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true),
            (None, None) => String::new(),
        }
    }
}

/// A way of summing up bytes that stores use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SumKind {
    Sha256,
    Crc64Nvme,
    Crc32,
    Crc32c,
}

impl fmt::Display for SumKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SumKind::Sha256 => "SHA-256",
            SumKind::Crc64Nvme => "CRC-64/NVME",
            SumKind::Crc32 => "CRC-32",
            SumKind::Crc32c => "CRC-32C",
        })
    }
}

/// A checksum that a store keeps of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectSum {
    /// Of all bytes, hexadecimal.
    Whole { kind: SumKind, hex: String },
    /// A sum over the sums of an upload's parts, whose borders nobody knows: it cannot be compared.
    Composite { kind: SumKind },
}

/// Some objects of a listing, in the order of their names within the page, and what had to be left
/// out (names that are not UTF-8, sockets, links out), as escaped text with a reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<ObjectMeta>,
    pub skipped: Vec<(String, String)>,
}

/// How the bytes of an object can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thaw {
    /// At once: it is in no archive.
    Readable,
    /// Not before somebody asks for them. The archive is the storage class, or the tier of one that moves by itself.
    Archived { archive: String },
    /// Asked for, and on their way out of the archive.
    Thawing { archive: String },
    /// They were asked for and can be read for a while.
    Thawed { until: Option<Timestamp> },
}

/// How soon an archive gives bytes out: the sooner, the dearer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThawTier {
    Expedited,
    #[default]
    Standard,
    Bulk,
}

/// What is asked of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThawRequest {
    #[serde(default)]
    pub tier: ThawTier,
    /// How long the bytes stay readable, in days from when they are.
    #[serde(default = "a_week")]
    pub days: u16,
}

fn a_week() -> u16 {
    7
}

pub type ByteStream = BoxStream<'static, Result<Bytes, StoreError>>;

/// Bytes by name, read-only. Code that must not write receives only this.
#[async_trait::async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    fn id(&self) -> &StoreId;

    /// For screens and doctor: `s3://bucket/prefix at http://…`, a path. Never a secret.
    fn location(&self) -> String;

    /// All objects whose name starts with `prefix` and sorts after `after`, page by page. Pages may come
    /// in any order where key ranges are listed side by side; within a page names ascend. The stream ends
    /// after its first error.
    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>>;

    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError>;

    /// The checksums that the store itself keeps of the object under `pin`; none where it keeps none.
    async fn sums(&self, _name: &str, _pin: &Pin) -> Result<Vec<ObjectSum>, StoreError> {
        Ok(Vec::new())
    }

    /// What the bucket does by itself; none where there is no bucket, or its server knows nothing of the kind.
    async fn bucket(&self) -> Result<Option<Bucket>, StoreError> {
        Ok(None)
    }

    /// How the bytes of the object under `pin` can be had.
    async fn thaw_state(&self, _name: &str, _pin: &Pin) -> Result<Thaw, StoreError> {
        Ok(Thaw::Readable)
    }

    /// Exactly the bytes of `range` that exist, in order, cut as they came: shorter than asked only at the end of the
    /// object. Ranges over [`MAX_RANGE`] bytes are refused; use [`Store::read`].
    async fn read_pieces(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError>;

    /// The same as one.
    async fn read_range(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Bytes, StoreError> {
        let mut pieces = self.read_pieces(name, range, pin).await?;
        Ok(if pieces.len() == 1 { pieces.remove(0) } else { pieces.concat().into() })
    }

    /// The object's bytes from `from` to its end. A body that ends early is an error, not an end.
    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError>;
}

/// A store that new objects can be added to. Nothing overwrites, nothing deletes.
#[async_trait::async_trait]
pub trait WritableStore: Store {
    /// Writes a new object; [`StoreErrorKind::AlreadyExists`](super::StoreErrorKind::AlreadyExists) if the
    /// name is taken. Either the whole object is there afterwards or nothing is.
    async fn create(&self, name: &str, size: u64, body: ByteStream) -> Result<ObjectMeta, StoreError>;

    /// Asks an archive for the bytes of the object under `pin`; no harm where they are on their way. The object itself
    /// stays as it is.
    async fn thaw(&self, name: &str, _pin: &Pin, _ask: ThawRequest) -> Result<(), StoreError> {
        let message = "this store has no archive that could be asked";
        Err(StoreError::new(super::StoreErrorKind::Unsupported, self.id(), Some(name), message))
    }
}

/// What became of a removed object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// Its bytes are gone.
    Gone,
    /// The bucket keeps versions: the name shows nothing any more, and the bytes stay below this delete marker until
    /// the bucket lets old versions go.
    Hidden { marker: String },
}

/// A store that objects can be removed from. Nothing but retention is given one: no context of a task carries it.
#[async_trait::async_trait]
pub trait PruningStore: WritableStore {
    /// Removes the very object that `pin` describes, or nothing:
    /// [`StoreErrorKind::Changed`](super::StoreErrorKind::Changed) if another lies under the name by now,
    /// [`StoreErrorKind::Locked`](super::StoreErrorKind::Locked) if the store must keep it beyond `now`,
    /// [`StoreErrorKind::Unsupported`](super::StoreErrorKind::Unsupported) where the store cannot promise that.
    /// [`StoreErrorKind::NotFound`](super::StoreErrorKind::NotFound) is also the answer to a second try after one
    /// that broke off and had taken effect.
    async fn remove(&self, name: &str, pin: &Pin, now: Timestamp) -> Result<Removed, StoreError>;
}
