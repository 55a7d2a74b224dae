//! Secrets handed to a program without argument, environment or disk: a file in memory that has no name, read by
//! its descriptor; and the folder in which `gpg` may keep its own things meanwhile.

use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// One secret, readable by this user's programs for as long as this value lives.
#[derive(Debug)]
pub struct Held(File);

impl Held {
    pub fn new(secret: &str) -> std::io::Result<Self> {
        let mut file = File::from(memfd_create("relight", MemfdFlags::CLOEXEC)?);
        file.write_all(secret.as_bytes())?;
        Ok(Self(file))
    }

    /// The name under which another program opens it.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }
}

/// A folder of `gpg`, for one message. Short, because an agent's socket lies in it, and in memory where there is such
/// a place, because keys pass through it.
#[derive(Debug)]
pub struct GpgHome {
    dir: TempDir,
    /// An agent may run in it.
    pub agent: bool,
}

impl GpgHome {
    pub fn new() -> std::io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let builder = || {
            let mut builder = tempfile::Builder::new();
            builder.prefix("relight-gpg-");
            builder
        };
        let dir = builder().tempdir_in(memory).or_else(|_| builder().tempdir())?;
        Ok(Self { dir, agent: false })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for GpgHome {
    fn drop(&mut self) {
        if self.agent {
            // The agent also leaves by itself when its folder has gone.
            let _ = Command::new("gpgconf")
                .arg("--homedir")
                .arg(self.dir.path())
                .args(["--kill", "gpg-agent"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}
