//! Where the log goes: to standard error, or into a file while the console has the screen.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Name of the file, in the state folder.
pub const FILE: &str = "relight.log";
/// A file that has grown to this many bytes makes room; one older file is kept beside it.
const MOST: u64 = 4 << 20;

static TARGET: Mutex<Target> = Mutex::new(Target::StandardError);

#[derive(Debug)]
enum Target {
    StandardError,
    File(LogFile),
    /// The screen is taken and there is no file.
    Nowhere,
}

/// Messages for whoever looks for a cause; `RELIGHT_LOG` takes the filters of the `tracing` crates.
pub fn install(verbose: u8) {
    let level = match verbose {
        0 => "off",
        1 => "relight=debug,aws_config=info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("RELIGHT_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Writer).with_ansi(false);
    // A second call in one process (tests) keeps the first subscriber.
    let _ = log.try_init();
}

/// As long as it lives, the log goes into the file.
#[derive(Debug)]
pub struct Diverted(());

impl Drop for Diverted {
    fn drop(&mut self) {
        *target() = Target::StandardError;
    }
}

/// Keeps the log off the screen; a log that is off needs no file. With the error the log is lost until the
/// returned value goes.
pub fn divert(state_dir: &Path) -> (Diverted, io::Result<()>) {
    if LevelFilter::current() == LevelFilter::OFF {
        return (Diverted(()), Ok(()));
    }
    let (to, opened) = match LogFile::open(state_dir.join(FILE), MOST) {
        Ok(file) => (Target::File(file), Ok(())),
        Err(error) => (Target::Nowhere, Err(error)),
    };
    *target() = to;
    (Diverted(()), opened)
}

fn target() -> MutexGuard<'static, Target> {
    TARGET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gets one whole message at a time.
struct Writer;

impl io::Write for Writer {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        match &mut *target() {
            Target::StandardError => io::stderr().write_all(message)?,
            Target::File(file) => file.append(message)?,
            Target::Nowhere => {}
        }
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that never grows beyond its bound.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: File,
    most: u64,
}

impl LogFile {
    fn open(path: PathBuf, most: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        Ok(Self { path, file, most })
    }

    fn append(&mut self, message: &[u8]) -> io::Result<()> {
        if self.is_full(message)? {
            self.make_room(message)?;
        }
        self.file.write_all(message)
    }

    /// Asked anew each time: other consoles write into the same file.
    fn is_full(&self, message: &[u8]) -> io::Result<bool> {
        let size = self.file.metadata()?.len();
        Ok(size > 0 && size + message.len() as u64 > self.most)
    }

    /// Another console may have made room before: its new file must not be moved over the older one.
    fn make_room(&mut self, message: &[u8]) -> io::Result<()> {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.path.with_extension("log.lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let mut now = Self::open(self.path.clone(), self.most)?;
        if now.is_full(message)? {
            std::fs::rename(&self.path, self.path.with_extension("log.old"))?;
            now = Self::open(self.path.clone(), self.most)?;
        }
        *self = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_full_log_makes_room_once_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut log = LogFile::open(path.clone(), 8).unwrap();
        for message in ["one\n", "two\n", "three\n", "four\n"] {
            log.append(message.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\n");
        assert_eq!(std::fs::read_to_string(dir.path().join("relight.log.old")).unwrap(), "three\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(log);
        let mut again = LogFile::open(path.clone(), 8).unwrap();
        again.append(b"5\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "four\n5\n");
    }

    #[test]
    fn two_consoles_make_room_once_between_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let [mut one, mut other] = [(); 2].map(|()| LogFile::open(path.clone(), 8).unwrap());
        one.append(b"old\n").unwrap();
        other.append(b"one\n").unwrap();
        one.append(b"new\n").unwrap();
        // Its own file was moved away meanwhile.
        other.append(b"too\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new\ntoo\n");
        assert_eq!(std::fs::read_to_string(dir.path().join("relight.log.old")).unwrap(), "old\none\n");
    }
}
