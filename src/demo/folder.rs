//! The sandbox's folder: made, locked while it lives, gone afterwards; and the remains of sandboxes
//! whose process was killed.

use super::settings::FILE;
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
    /// An earlier demo has finished a sandbox in it.
    is_made: bool,
    /// Locked for as long as this process lives; the kernel unlocks it however that ends.
    _lock: File,
}

impl Folder {
    /// A new temporary folder, or `wanted`, which stays afterwards: it must be empty or absent, or hold the
    /// sandbox of an earlier demo.
    pub fn make(wanted: Option<&Path>) -> Result<Self> {
        let path = match wanted {
            Some(dir) => {
                fs::create_dir_all(dir)?;
                let dir = dir.canonicalize()?;
                if fs::read_dir(&dir)?.next().is_some() {
                    return Self::again(dir);
                }
                dir
            }
            None => tempfile::Builder::new().prefix(PREFIX).tempdir()?.keep(),
        };
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        let lock = File::create(path.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { path, keep: wanted.is_some(), is_made: false, _lock: lock })
    }

    /// A folder with something in it. What a configuration names is started, so only this user's own counts.
    fn again(path: PathBuf) -> Result<Self> {
        let me = rustix::process::geteuid().as_raw();
        let ours = |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.uid() == me && !meta.is_symlink());
        if !ours(&path) || !ours(&path.join(LOCK)) || !ours(&path.join(FILE)) {
            let text = format!(
                "{} is not empty, and no finished sandbox of yours: name a new folder, or empty this one",
                path.display()
            );
            return Err(Error::new(ErrorKind::AlreadyExists, text));
        }
        let lock = File::open(path.join(LOCK))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let text = format!("a demo runs in {} already: end that one, or name another folder", path.display());
            return Err(Error::new(ErrorKind::WouldBlock, text));
        }
        Ok(Self { path, keep: true, is_made: true, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_kept(&self) -> bool {
        self.keep
    }

    /// It holds the sandbox of an earlier demo.
    pub fn is_made(&self) -> bool {
        self.is_made
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
            end_remains(path);
            fs::remove_dir_all(path).is_ok()
        })
        .collect()
}

/// Ends what a killed demo has left running in its folder, which the caller has locked.
pub(super) fn end_remains(path: &Path) {
    super::sandbox::end_runners(&path.join("state"));
    stop_server(&path.join("postgres/data"));
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
