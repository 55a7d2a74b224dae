//! One runner per run: an advisory lock that the kernel drops when its holder dies.

use super::error::RunnerError;
use super::folder::RunFolder;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

/// Looks at a lock that somebody holds for an instant, or has held for an instant only.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

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
            let pid = pid_of(&mut file).map_or_else(|| "not known yet".to_owned(), |pid| pid.to_string());
            return Err(RunnerError::Taken { run: folder.run.to_string(), pid });
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
    for _ in 0..TRIES {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            settled => return settled,
        }
    }
    flock(file, FlockOperation::NonBlockingLockExclusive)
}

/// The process id of the run's live runner; 0 where it has not written it yet.
pub fn holder(folder: &RunFolder) -> Option<u32> {
    let mut file = File::open(folder.lock()).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => Some(pid_of(&mut file).unwrap_or(0)),
        _ => None,
    }
}

/// Whoever has just taken the lock writes its number a moment later, and until then the number of a dead one may
/// stand there: that is waited out.
fn pid_of(file: &mut File) -> Option<u32> {
    let mut said = || pid_in(file).parse().ok().filter(|pid| *pid > 0);
    let alive = (0..TRIES).find_map(|_| {
        let pid = said().filter(|pid| is_alive(*pid));
        if pid.is_none() {
            std::thread::sleep(PAUSE);
        }
        pid
    });
    // One that cannot be seen from here, in another container perhaps, is named as it is written.
    alive.or_else(said)
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH)))
}

fn pid_in(file: &mut File) -> String {
    let mut text = String::new();
    // A lock file that cannot be read leaves the holder unnamed.
    let _ = file.rewind().and_then(|()| file.take(32).read_to_string(&mut text));
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::RunId;

    #[test]
    fn the_number_of_a_dead_holder_is_not_taken_for_the_next_ones() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::of(dir.path(), &RunId::from("r1"));
        folder.create().unwrap();
        // What a killed runner left, its number reused by nobody.
        std::fs::write(folder.lock(), "2147483646").unwrap();
        assert_eq!(holder(&folder), None, "nobody holds it");
        let lock = OpenOptions::new().read(true).write(true).open(folder.lock()).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        let late = std::thread::spawn({
            let mut lock = lock.try_clone().unwrap();
            move || {
                lock.set_len(0).unwrap();
                write!(lock, "{}", std::process::id()).unwrap();
            }
        });
        let seen = holder(&folder);
        late.join().unwrap();
        assert!(seen.is_some());
        assert_eq!(holder(&folder), Some(std::process::id()));
        assert!(matches!(take(&folder), Err(RunnerError::Taken { pid, .. }) if pid == std::process::id().to_string()));
    }
}
