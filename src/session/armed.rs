//! The armed state on disk: it outlives the console, and it always ends.

use crate::model::time::Timestamp;
use crate::runbook::Armed;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest stretch for which anyone may be armed at once.
pub const LONGEST: Duration = Duration::from_hours(8);
/// A file larger than this is not ours.
const LARGEST_FILE: u64 = 64 * 1024;

/// `armed.json` in the state folder.
#[derive(Clone, Debug)]
pub struct ArmedFile(PathBuf);

#[derive(Debug, thiserror::Error)]
pub enum ArmedError {
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{} does not hold an armed state: {why}", .path.display())]
    Unreadable { path: PathBuf, why: String },
}

impl ArmedFile {
    pub fn in_state(state_dir: &Path) -> Self {
        Self(state_dir.join("armed.json"))
    }

    /// The armed state, if there is one that has not run out at `now`.
    pub fn load(&self, now: Timestamp) -> Result<Option<Armed>, ArmedError> {
        let size = match std::fs::metadata(&self.0) {
            Ok(meta) => meta.len(),
            Err(absent) if absent.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.io("read", source)),
        };
        let unreadable = |why: String| ArmedError::Unreadable { path: self.0.clone(), why };
        if size > LARGEST_FILE {
            return Err(unreadable(format!("it is {size} bytes long")));
        }
        let bytes = std::fs::read(&self.0).map_err(|source| self.io("read", source))?;
        let armed: Armed = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
        let latest = now + chrono::Duration::from_std(LONGEST).unwrap_or_default();
        if armed.until > latest {
            return Err(unreadable("its end lies further ahead than anyone may be armed".to_owned()));
        }
        Ok((armed.until > now).then_some(armed))
    }

    /// Keeps `armed`; readable by its owner only. Either the whole new state is there or the old one.
    pub fn save(&self, armed: &Armed) -> Result<(), ArmedError> {
        let folder = self.0.parent().unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            // A named temporary file is made 0600.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec(armed)?)?;
            file.as_file().sync_all()?;
            file.persist(&self.0).map_err(|e| e.error)?;
            Ok(())
        };
        write().map_err(|source| self.io("write", source))
    }

    pub fn clear(&self) -> Result<(), ArmedError> {
        match std::fs::remove_file(&self.0) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(self.io("remove", e)),
            _ => Ok(()),
        }
    }

    fn io(&self, doing: &'static str, source: std::io::Error) -> ArmedError {
        ArmedError::Io { doing, path: self.0.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::actor::Actor;
    use chrono::DateTime;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn armed_is_kept_privately_and_runs_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = ArmedFile::in_state(dir.path());
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        assert_eq!(file.load(at(0)).unwrap(), None);
        let by = Actor { name: "ann".into(), host: "ops1".into(), pid: 7 };
        let armed = Armed { by, reason: "orders lost".into(), incident: None, until: at(100) };
        file.save(&armed).unwrap();
        let mode = std::fs::metadata(dir.path().join("armed.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(file.load(at(50)).unwrap(), Some(armed.clone()));
        assert_eq!(file.load(at(100)).unwrap(), None);
        assert!(file.load(at(100 - 9 * 3600)).is_err(), "a clock set back must not lengthen it");
        file.clear().unwrap();
        assert_eq!(file.load(at(50)).unwrap(), None);
    }
}
