//! What a record said before, on disk before it is changed.

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

/// In the folder of the run.
pub fn path(cx: &TaskContext, stamp: &str) -> PathBuf {
    cx.work_dir.join(format!("dns_before_{stamp}.json"))
}

pub fn read(cx: &TaskContext, stamp: &str) -> Result<Option<Kept>, Failure> {
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
pub fn keep(cx: &TaskContext, stamp: &str, kept: &Kept) -> Result<(), Failure> {
    if read(cx, stamp)?.is_some() {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&cx.work_dir)?;
        serde_json::to_writer(&mut file, kept)?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path(cx, stamp)).map_err(|error| error.error)?;
        std::fs::File::open(&cx.work_dir)?.sync_all()
    };
    write().map_err(|error| {
        Failure::new(format!("what the record says now could not be kept: {error}"))
            .means("without a way back nothing is changed")
            .next("look at the space and rights of the state folder")
    })
}
