//! Runners that a test left behind.

use relight::runner::runs;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// Ends every live runner of a state folder. Only whoever holds a run's lock is its runner: a bare process id
/// may be someone else's by now.
pub fn end_all(state: &Path) {
    for pid in runs::list(state).into_iter().flatten().filter_map(|entry| entry.runner) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // It may have left meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
