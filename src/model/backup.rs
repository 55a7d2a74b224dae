//! A backup: one recovery point's artefact, with its copies.

use super::content::Content;
use super::id::{AssetId, BackupId, StoreId};
use super::proof::ProofRecord;
use super::text::escaped;
use super::time::Timestamp;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupKind {
    Full,
    Incremental,
    Differential,
    Log,
    Snapshot,
    Archive,
}

impl fmt::Display for BackupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            BackupKind::Full => "full",
            BackupKind::Incremental => "incremental",
            BackupKind::Differential => "differential",
            BackupKind::Log => "log",
            BackupKind::Snapshot => "snapshot",
            BackupKind::Archive => "archive",
        })
    }
}

/// Where `taken_at` was read. Names and metadata count; modification times are a last resort,
/// because copies and re-uploads change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeSource {
    Metadata,
    Name,
    Modified,
}

/// Storage classes of which the bytes must be thawed before anyone can read them.
pub const ARCHIVE_CLASSES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// One place where the bytes of a backup lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    pub store: StoreId,
    /// Object name, or for a backup that is a folder its prefix ending in `/`.
    pub path: String,
    pub size_bytes: u64,
    /// Newest modification time among its objects.
    pub modified_at: Option<Timestamp>,
    pub storage_class: Option<String>,
    pub etag: Option<String>,
    /// Number of objects: 1, or the members of a folder.
    pub objects: u64,
}

impl Copy {
    /// The archive class in which it, or a part of it, was when it was listed.
    pub fn archive_class(&self) -> Option<&str> {
        self.storage_class.as_deref().filter(|class| ARCHIVE_CLASSES.contains(class))
    }

    /// Its class, and what that means for whoever wants to read it.
    pub fn class_text(&self) -> Option<String> {
        let class = escaped(self.storage_class.as_deref()?);
        Some(if self.archive_class().is_some() { format!("{class}: to be thawed first") } else { class.into_owned() })
    }
}

/// What ties an incremental to its base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLink {
    /// Name of the base as its metadata gives it.
    pub base_name: String,
    /// The backup it means, where it is in the catalog. `None` is a broken chain.
    pub base: Option<BackupId>,
}

/// A sidecar that was read: what it is and whether it agrees with the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// `backup_catalog.csv`, `metadata.json`, `checksums.txt`…
    pub name: String,
    pub store: StoreId,
    pub path: String,
    /// Change mark of the sidecar itself (ETag, else modification time) when it was read.
    #[serde(default)]
    pub pin: Option<String>,
    /// Facts in the order of the file; values are raw and untrusted.
    pub facts: Vec<(String, String)>,
    /// SHA-256 that it states for the backup's object, hexadecimal.
    pub sha256: Option<String>,
    /// Each way in which it disagrees with the objects; empty is agreement.
    pub disagreements: Vec<String>,
    /// What in it could not be read, or was left out for its size.
    #[serde(default)]
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    pub id: BackupId,
    pub asset: AssetId,
    pub kind: BackupKind,
    pub taken_at: Timestamp,
    pub time_source: TimeSource,
    /// The other instant that the name may mean, where local time was set back (or the nearest valid
    /// instant where it was set forward and the name gives a time that never was).
    pub ambiguous_with: Option<Timestamp>,
    /// Size of the largest copy in bytes.
    pub size_bytes: u64,
    /// `Some(false)`: members or markers are missing. `None`: nothing tells.
    pub complete: Option<bool>,
    pub incomplete_because: Vec<String>,
    pub encrypted: Option<bool>,
    pub content: Option<Content>,
    /// Sorted by the configured order of stores; never empty.
    pub copies: Vec<Copy>,
    pub chain: Option<Box<ChainLink>>,
    pub sidecars: Vec<Sidecar>,
    /// Newest record of the proof ledger that is about these very bytes.
    pub proof: Option<Box<ProofRecord>>,
    /// Moving names such as `latest` that point at this backup now, and other marks.
    pub labels: Labels,
}

pub type Labels = LiteMap<String, String>;
