//! Runners that a scene left behind. The tests ask the program's library; the maker does without it, which would be
//! built a second time for it.

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// Ends every process that was started with this state folder, which is one of ours alone.
pub fn end_all(state: &Path) {
    let named = state.as_os_str().as_encoded_bytes();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let told = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let ours = told.split(|byte| *byte == 0).any(|word| word.starts_with(named));
        let pid = entry.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| ours) {
            // It may have left meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
