//! How far a backup has been proven, and the record of it.

use super::actor::Actor;
use super::id::{BackupId, StoreId};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Proof levels, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Listed.
    L0,
    /// Plausible: size, name, age.
    L1,
    /// Checksum matches one that was recorded apart from the bytes.
    L2,
    /// The container opens and decodes to its end.
    L3,
    /// Its contents were listed: table of contents, archive members, manifest.
    L4,
    /// Restored in scratch and validated.
    L5,
    /// Application smoke test on the restored copy.
    L6,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::L0 => "L0",
            Level::L1 => "L1",
            Level::L2 => "L2",
            Level::L3 => "L3",
            Level::L4 => "L4",
            Level::L5 => "L5",
            Level::L6 => "L6",
        })
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.to_ascii_uppercase().as_str() {
            "L0" => Level::L0,
            "L1" => Level::L1,
            "L2" => Level::L2,
            "L3" => Level::L3,
            "L4" => Level::L4,
            "L5" => Level::L5,
            "L6" => Level::L6,
            _ => return Err(format!("`{text}` is not a proof level; write L0 to L6")),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofOutcome {
    /// Every check up to the level held.
    Passed,
    /// The backup is bad: a check gave a definite no.
    Failed,
    /// The check could not be finished (store lost, cancelled): says nothing about the backup.
    Unknown,
}

/// One line of the proof ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRecord {
    pub backup: BackupId,
    pub store: StoreId,
    pub path: String,
    /// Highest level whose checks all held (with `Failed`: the last level that still held).
    pub level: Level,
    /// The level that was asked for.
    pub wanted: Level,
    pub outcome: ProofOutcome,
    pub at: Timestamp,
    pub actor: Actor,
    /// What did the checking, with its version.
    pub tool: String,
    /// One line for people: what was checked, or what is wrong and where.
    pub detail: String,
    /// Size in bytes and change mark (ETag or modification time) of the object that was read: a proof
    /// of other bytes is no proof.
    pub size_bytes: u64,
    pub pin: Option<String>,
    /// SHA-256 of the stored bytes, hexadecimal, where the whole object was read.
    pub sha256: Option<String>,
    /// Facts read on the way: tables, entries, server version, keys.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}
