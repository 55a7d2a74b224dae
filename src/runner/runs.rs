//! All runs of a state folder, read from their journals.

use super::error::RunnerError;
use super::folder::{RUNS, RunFolder};
use super::lock;
use crate::journal;
use crate::model::id::RunId;
use crate::runbook::RunState;
use crate::runbook::engine::replay;
use std::path::Path;

#[derive(Debug)]
pub struct RunEntry {
    pub folder: RunFolder,
    /// Where it stands, or why its journal does not tell.
    pub state: Result<RunState, String>,
    /// Process id of its live runner.
    pub runner: Option<u32>,
}

impl RunEntry {
    /// Not over, and nobody drives it.
    pub fn is_lost(&self) -> bool {
        let lost = |state: &RunState| !state.status.is_over() && state.fenced_off().is_none();
        self.runner.is_none() && self.state.as_ref().is_ok_and(lost)
    }

    /// Who holds the run's lock instead of this copy, as far as it knows.
    pub fn fenced_off(&self) -> Option<&str> {
        self.state.as_ref().ok()?.fenced_off()
    }

    /// Word of its status, with `runner lost` where its runner died.
    pub fn word(&self) -> &str {
        match &self.state {
            Err(_) => "unreadable",
            Ok(_) if self.fenced_off().is_some() => "fenced off",
            Ok(_) if self.is_lost() => "runner lost",
            Ok(state) => state.status.word(),
        }
    }
}

/// Newest first.
pub fn list(state_dir: &Path) -> Result<Vec<RunEntry>, RunnerError> {
    Ok(folders(state_dir)?.iter().map(read).collect())
}

/// The folders of all runs, newest first.
pub(super) fn folders(state_dir: &Path) -> Result<Vec<RunFolder>, RunnerError> {
    let runs = state_dir.join(RUNS);
    let entries = match std::fs::read_dir(&runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(RunnerError::io("read", &runs, error)),
    };
    let mut ids: Vec<RunId> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .map(RunId::from)
        .collect();
    ids.sort();
    Ok(ids.iter().rev().map(|id| RunFolder::of(state_dir, id)).collect())
}

/// One run as its journal tells.
pub fn read(folder: &RunFolder) -> RunEntry {
    let state = journal::read(&folder.path)
        .map_err(|error| error.to_string())
        .and_then(|events| replay(&events).map_err(|error| error.to_string()));
    RunEntry { folder: folder.clone(), state, runner: lock::holder(folder) }
}

/// The run with this id, this unambiguous beginning or end of one, or `latest`.
pub fn choose(state_dir: &Path, text: &str) -> Result<RunFolder, RunnerError> {
    let mut ids: Vec<RunId> = list(state_dir)?.into_iter().map(|entry| entry.folder.run).collect();
    if text == "latest" {
        ids.truncate(1);
    } else if let Some(exact) = ids.iter().find(|id| id.as_str() == text).cloned() {
        ids = vec![exact];
    } else {
        ids.retain(|id| id.as_str().starts_with(text) || id.as_str().ends_with(text));
    }
    match ids.as_slice() {
        [one] => Ok(RunFolder::of(state_dir, one)),
        [] => Err(RunnerError::NoRun(text.to_owned())),
        many => {
            Err(RunnerError::Ambiguous { text: text.to_owned(), fits: many.iter().map(ToString::to_string).collect() })
        }
    }
}
