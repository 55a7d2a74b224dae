//! Journals and proofs must reach the disk.

use super::check::Check;
use crate::health::Severity;
use std::io::Write as _;
use std::path::Path;

/// Writes, syncs and removes a file, as the journal will.
pub fn writable(state_dir: &Path) -> Check {
    let name = state_dir.display().to_string();
    let tried = tempfile::NamedTempFile::new_in(state_dir).and_then(|mut file| {
        file.write_all(b"relight doctor")?;
        file.as_file().sync_all()?;
        file.close()
    });
    match tried {
        Ok(()) => Check::good("state", name, "writable, private to this user"),
        Err(error) => Check::new("state", name, Severity::Critical, format!("cannot be written: {error}"))
            .next("no run can start without a journal: free space, or name another folder with --state"),
    }
}
