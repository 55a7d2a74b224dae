//! What a record said before, on disk and in the shared place before it is changed.

use super::record::Said;
use crate::model::task::Failure;
use crate::tasks::context::TaskContext;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub name: String,
    pub before: Said,
    /// What this run said in its place.
    pub after: Said,
}

fn note(stamp: &str) -> String {
    format!("dns_before_{stamp}.json")
}

/// In the folder of the run.
pub fn path(cx: &TaskContext, stamp: &str) -> PathBuf {
    cx.work_dir.join(note(stamp))
}

/// What is kept here, or by whoever drove the run before on another machine.
pub async fn read(cx: &TaskContext, stamp: &str) -> Result<Option<Kept>, Failure> {
    if let Some(kept) = here(cx, stamp)? {
        return Ok(Some(kept));
    }
    let broken = |why: String| {
        Failure::new(format!("whether a former value is kept in the shared place is not known: {why}"))
            .means("what the record said before is not known from here; nothing was changed")
            .next("look at the shared place, and try again")
    };
    let found = cx.shelf.read(&cx.owner.run, &note(stamp)).await.map_err(|error| broken(error.to_string()))?;
    found.map(|bytes| serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))).transpose()
}

fn here(cx: &TaskContext, stamp: &str) -> Result<Option<Kept>, Failure> {
    let path = path(cx, stamp);
    let broken = |why: String| {
        Failure::new(format!("{} cannot be read: {why}", path.display()))
            .means("what the record said before is not known from here")
            .next("the step's output in the report tells it; set it by hand")
    };
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(broken(error.to_string())),
    }
}

/// Keeps it, unless this run has kept something already: the first is what was there before.
pub async fn keep(cx: &TaskContext, stamp: &str, kept: &Kept) -> Result<(), Failure> {
    let kept = &read(cx, stamp).await?.unwrap_or_else(|| kept.clone());
    if here(cx, stamp)?.is_none() {
        write(cx, stamp, kept)?;
    }
    let bytes = serde_json::to_vec(kept).unwrap_or_default();
    cx.shelf.keep(&cx.owner.run, &note(stamp), bytes.into()).await.map_err(|error| lost(&error))
}

fn lost(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("what the record says now could not be kept: {error}"))
        .means("without a way back nothing is changed")
        .next("look at the space and rights of the state folder, and at the shared place")
}

fn write(cx: &TaskContext, stamp: &str, kept: &Kept) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&cx.work_dir)?;
        serde_json::to_writer(&mut file, kept)?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path(cx, stamp)).map_err(|error| error.error)?;
        std::fs::File::open(&cx.work_dir)?.sync_all()
    };
    write().map_err(|error| lost(&error))
}
