//! What can go wrong around a run, in words for the operator.

use crate::journal::JournalError;
use crate::runbook::engine::ReplayError;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error("{} cannot be {doing}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the run cannot be rebuilt from its journal: {0}")]
    Replay(#[from] ReplayError),
    #[error("run {run} has a runner already (process {pid}); attach to it instead")]
    Taken { run: String, pid: String },
    #[error("the runner of run {run} did not come up: {why}")]
    NotUp { run: String, why: String },
    #[error("run {run} has no runner: {why}")]
    NoRunner { run: String, why: String },
    #[error("run {run} is not over: finish or abort it, its own last steps clear what it made")]
    NotOver { run: String },
    #[error("run {run} has no open lesson {number}; `relight lesson {run}` lists them")]
    NoLesson { run: String, number: u32 },
    #[error("the runner speaks a language that this program does not: {0}")]
    Language(String),
    #[error("no run is called `{0}`; `relight runs` lists them")]
    NoRun(String),
    #[error("`{text}` fits several runs: {}", fits.join(", "))]
    Ambiguous { text: String, fits: Vec<String> },
}

impl RunnerError {
    pub fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }
}
