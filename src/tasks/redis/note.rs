//! The run's own note of the data folder that it makes: what it is, and what a Redis found in it.

use super::look::Count;
use crate::model::task::Failure;
use crate::tasks::context::TaskContext;
use crate::tasks::notes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FILE: &str = "redis-side.json";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub side: String,
    /// Device and inode; absent between the intent to make it and its making.
    pub id: Option<String>,
    /// Once a Redis has loaded it, and nothing is missing.
    pub complete: Option<Held>,
}

/// What a snapshot holds, as it was counted and as a Redis loaded it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Keys in the snapshot, by its own bytes; those that expire with them.
    pub keys: u64,
    pub expiring: u64,
    pub databases: BTreeMap<u64, Count>,
    pub sha256: String,
    pub version: String,
}

impl Note {
    /// `None` where there is none; one that cannot be read is no permission for anything.
    pub fn read(cx: &TaskContext, side: &str) -> Option<Self> {
        notes::read(cx, FILE).filter(|note: &Self| note.side == side)
    }

    /// On disk before the world changes.
    pub fn write(&self, cx: &TaskContext) -> Result<(), Failure> {
        notes::write(cx, FILE, self).map_err(|error| {
            Failure::new(format!("the run's note of its data folder could not be written: {error}"))
                .means("without it nobody could tell later whose folder it is; nothing was begun")
                .next("make room or mend the state folder, then retry")
        })
    }

    /// Whether what was found under some name is what this run made.
    pub fn owns(&self, found: Option<&String>) -> bool {
        self.id.is_some() && self.id.as_ref() == found
    }
}
