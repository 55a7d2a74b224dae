//! The state folder.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("no folder for Relight's state: neither --state nor XDG_STATE_HOME nor HOME is set")]
    NoHome,
    #[error("the state folder {} cannot be made: {source}", .path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("the state folder {} is open to others (mode {mode:04o}); journals and plans would be too", .path.display())]
    Open { path: PathBuf, mode: u32 },
    #[error("{} is no folder", .path.display())]
    NoFolder { path: PathBuf },
}

/// `named`, or else `$XDG_STATE_HOME/relight`, absolute; made with mode 0700 if it is not there. A folder
/// that others can look into is refused rather than changed: it may be one that someone shares on purpose.
pub fn state_dir(named: Option<&Path>) -> Result<PathBuf, StateError> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => default_dir().ok_or(StateError::NoHome)?,
    };
    let failed = |source| StateError::Create { path: path.clone(), source };
    let path = std::path::absolute(&path).map_err(failed)?;
    let failed = |source| StateError::Create { path: path.clone(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
    let found = std::fs::metadata(&path).map_err(failed)?;
    if !found.is_dir() {
        return Err(StateError::NoFolder { path });
    }
    match found.mode() & 0o7777 {
        mode if mode & 0o077 != 0 => Err(StateError::Open { path, mode }),
        _ => Ok(path),
    }
}

fn default_dir() -> Option<PathBuf> {
    let xdg = etcetera::base_strategy::Xdg::new().ok()?;
    etcetera::BaseStrategy::state_dir(&xdg).map(|dir| dir.join("relight"))
}
