//! The run's own note of the images that it loads: whose the dated names are.

use crate::model::task::Failure;
use crate::tasks::context::TaskContext;
use crate::tasks::notes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FILE: &str = "images-side.json";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub side: String,
    /// What the engine calls each loaded image, by its live name; empty between the intent and the end of loading.
    pub loaded: BTreeMap<String, String>,
}

impl Note {
    /// `None` where there is none; one that cannot be read is no permission for anything.
    pub fn read(cx: &TaskContext, side: &str) -> Option<Self> {
        notes::read(cx, FILE).filter(|note: &Self| note.side == side)
    }

    /// On disk before the world changes.
    pub fn write(&self, cx: &TaskContext) -> Result<(), Failure> {
        notes::write(cx, FILE, self).map_err(|error| {
            Failure::new(format!("the run's note of the images that it loads could not be written: {error}"))
                .means("without it nobody could tell later whose the names are; nothing was begun")
                .next("make room or mend the state folder, then retry")
        })
    }

    /// The image that this run loaded for a live name.
    pub fn image(&self, name: &str) -> Result<&str, Failure> {
        self.loaded.get(name).map(String::as_str).ok_or_else(|| {
            Failure::new(format!("this run has not loaded image {name}"))
                .means("there is nothing to exchange; nothing was done")
                .next("run the step that loads it")
        })
    }

    /// Whether an image that has the dated name is this run's.
    pub fn owns(&self, name: &str, id: &str) -> bool {
        self.loaded.get(name).is_none_or(|loaded| loaded == id)
    }

    pub fn of(cx: &TaskContext, side: &str) -> Result<Self, Failure> {
        Self::read(cx, side).ok_or_else(|| {
            Failure::new(format!("this run has loaded no images as {side}"))
                .means("there is nothing to exchange; nothing was done")
                .next("run the step that loads them")
        })
    }
}
