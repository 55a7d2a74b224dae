//! One runner per run: an advisory lock that the kernel drops when its holder dies.

use super::error::RunnerError;
use super::folder::RunFolder;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

/// Held as long as it lives.
#[derive(Debug)]
pub struct RunnerLock {
    _file: File,
}

pub fn take(folder: &RunFolder) -> Result<RunnerLock, RunnerError> {
    let path = folder.lock();
    let broken = |error: std::io::Error| RunnerError::io("locked", &path, error);
    let mut options = OpenOptions::new();
    let mut file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(broken)?;
    match try_lock(&file) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(RunnerError::Taken { run: folder.run.to_string(), pid: pid_in(&mut file) });
        }
        Err(error) => return Err(broken(error.into())),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(broken)?;
    Ok(RunnerLock { _file: file })
}

/// Whoever lists the runs holds the lock for an instant: that is waited out.
fn try_lock(file: &File) -> rustix::io::Result<()> {
    const TRIES: u32 = 20;
    for _ in 0..TRIES {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(std::time::Duration::from_millis(10)),
            settled => return settled,
        }
    }
    flock(file, FlockOperation::NonBlockingLockExclusive)
}

/// The process id of the run's live runner; 0 where it has not written it yet.
pub fn holder(folder: &RunFolder) -> Option<u32> {
    let mut file = File::open(folder.lock()).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => Some(pid_in(&mut file).parse().unwrap_or(0)),
        _ => None,
    }
}

fn pid_in(file: &mut File) -> String {
    let mut text = String::new();
    // A lock file that cannot be read leaves the holder unnamed.
    let _ = file.rewind().and_then(|()| file.take(32).read_to_string(&mut text));
    text.trim().to_owned()
}
