//! Processes that work in a folder of a test's own.

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// Ends every process that works in a folder or below it. Servers that scripts started are nobody's children: their
/// folder is what tells whose they are.
pub fn end_all_in(folder: &Path) {
    // In a folder that is not there nobody works.
    let Ok(here) = folder.canonicalize() else { return };
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let works = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&here));
        let pid = entry.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| works) {
            // It may have left meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
