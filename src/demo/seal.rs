//! Sealing archives with OpenPGP, by the program that operators use for it.

use std::io::{Error, Result, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Symmetric encryption under one passphrase, with a keyring folder of its own.
#[derive(Debug)]
pub struct Sealer {
    program: PathBuf,
    home: TempDir,
}

impl Sealer {
    pub fn new(program: &Path) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("relight-gpg-").tempdir()?;
        std::fs::write(home.path().join("passphrase"), "harbour at night\n")?;
        Ok(Self { program: program.to_owned(), home })
    }

    pub fn seal(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut child = self
            .command(&["--batch", "--quiet", "--no-random-seed-file", "--pinentry-mode", "loopback"])
            .arg("--passphrase-file")
            .arg(self.home.path().join("passphrase"))
            .args(["--cipher-algo", "AES256", "--s2k-count", "65536", "--symmetric", "--output", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // gpg reads its whole input before the sealed text outgrows a pipe only for small input, so the
        // writing happens beside the reading.
        let stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(bytes)));
            child.wait_with_output()
        })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(Error::other(format!("gpg: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }

    fn command(&self, first: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--homedir").arg(self.home.path()).args(first).env("LC_ALL", "C");
        command
    }
}

impl Drop for Sealer {
    fn drop(&mut self) {
        // An agent that gpg may have started would outlive its folder; it ends by itself if this fails.
        let connect = self.program.with_file_name("gpgconf");
        let _ = Command::new(connect)
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--kill", "gpg-agent"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}
