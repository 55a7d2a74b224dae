//! The folder of one run: `<state>/runs/<run>/`.

use super::error::RunnerError;
use crate::model::id::RunId;
use crate::model::time::Timestamp;
use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Name of the folder of all runs, below the state folder.
pub const RUNS: &str = "runs";

/// How a run's name begins: the second in which it was made, in UTC.
pub const SECOND: &str = "%Y%m%d-%H%M%S";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    pub run: RunId,
    pub path: PathBuf,
}

impl RunFolder {
    pub fn of(state_dir: &Path, run: &RunId) -> Self {
        Self { run: run.clone(), path: state_dir.join(RUNS).join(run.as_str()) }
    }

    /// Makes the folder, private to its owner; fails if it is there.
    pub fn create(&self) -> Result<(), RunnerError> {
        let make = |path: &Path, recursive| {
            DirBuilder::new()
                .recursive(recursive)
                .mode(0o700)
                .create(path)
                .map_err(|error| RunnerError::io("created", path, error))
        };
        if let Some(runs) = self.path.parent() {
            make(runs, true)?;
        }
        make(&self.path, false)?;
        make(&self.work(), false)
    }

    /// Whether a run was made in the second of this instant.
    pub fn any_of_second(state_dir: &Path, at: Timestamp) -> bool {
        let second = at.format(SECOND).to_string();
        let runs = std::fs::read_dir(state_dir.join(RUNS)).into_iter().flatten().flatten();
        runs.into_iter().any(|run| run.file_name().to_string_lossy().starts_with(&second))
    }

    /// Artefacts and scratch of the run's tasks.
    pub fn work(&self) -> PathBuf {
        self.path.join("work")
    }
    pub fn socket(&self) -> PathBuf {
        self.path.join("control.sock")
    }
    pub fn lock(&self) -> PathBuf {
        self.path.join("runner.lock")
    }
    pub fn log(&self) -> PathBuf {
        self.path.join("runner.log")
    }
    fn config_note(&self) -> PathBuf {
        self.path.join("config")
    }

    /// Remembers which configuration the run was planned with.
    pub fn keep_config(&self, config: &Path) -> Result<(), RunnerError> {
        let note = self.config_note();
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&note);
        file.and_then(|mut file| file.write_all(std::os::unix::ffi::OsStrExt::as_bytes(config.as_os_str())))
            .map_err(|error| RunnerError::io("written", &note, error))
    }

    /// The configuration that the run was planned with.
    pub fn config(&self) -> Result<PathBuf, RunnerError> {
        let note = self.config_note();
        let bytes = std::fs::read(&note).map_err(|error| RunnerError::io("read", &note, error))?;
        Ok(PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes)))
    }

    /// The end of the runner's log, for people: at most 2 KiB.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(self.log()).unwrap_or_default();
        let from = text.len().saturating_sub(2048);
        String::from_utf8_lossy(&text[from..]).trim().to_owned()
    }
}
