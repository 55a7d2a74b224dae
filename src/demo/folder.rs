//! The sandbox's folder: made, locked while it lives, gone afterwards; and the remains of sandboxes
//! whose process was killed.

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal};
use std::fs::{self, File, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const PREFIX: &str = "relight-demo-";
const LOCK: &str = "demo.lock";

/// A folder that this process owns as a sandbox. Dropping it removes it, unless it was asked for by name.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    keep: bool,
    /// Locked for as long as this process lives; the kernel unlocks it however that ends.
    _lock: File,
}

impl Folder {
    /// A new temporary folder, or `wanted`, which must be empty or absent and stays afterwards.
    pub fn make(wanted: Option<&Path>) -> Result<Self> {
        let path = match wanted {
            Some(dir) => {
                fs::create_dir_all(dir)?;
                if fs::read_dir(dir)?.next().is_some() {
                    let text = format!("{} is not empty: give a new folder for the sandbox", dir.display());
                    return Err(Error::new(ErrorKind::AlreadyExists, text));
                }
                dir.canonicalize()?
            }
            None => tempfile::Builder::new().prefix(PREFIX).tempdir()?.keep(),
        };
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        let lock = File::create(path.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { path, keep: wanted.is_some(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_kept(&self) -> bool {
        self.keep
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed now is removed by the next demo's sweep.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Removes sandboxes of this user whose process is gone, and stops their servers. Returns their folders.
pub fn sweep() -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return Vec::new() };
    let ours = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
            && fs::symlink_metadata(path)
                .is_ok_and(|meta| meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw())
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(ours)
        .filter(|path| {
            // The lock is held while a demo lives; a folder without one is just being made.
            let Ok(lock) = File::open(path.join(LOCK)) else { return false };
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
                return false;
            }
            super::sandbox::end_runners(&path.join("state"));
            stop_server(&path.join("postgres/data"));
            fs::remove_dir_all(path).is_ok()
        })
        .collect()
}

/// Stops the database server that works in `data`, if the process of its pid file is that server.
fn stop_server(data: &Path) {
    let Ok(text) = fs::read_to_string(data.join("postmaster.pid")) else { return };
    let Some(pid) = text.lines().next().and_then(|line| line.parse().ok()).and_then(Pid::from_raw) else { return };
    let at_home = fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).is_ok_and(|cwd| cwd == data);
    if at_home && rustix::process::kill_process(pid, Signal::QUIT).is_ok() {
        let begun = std::time::Instant::now();
        while begun.elapsed() < std::time::Duration::from_secs(5) && rustix::process::test_kill_process(pid).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
