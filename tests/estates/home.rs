//! A lab: one folder with everything that an estate's configuration names, and the program pointed at it.

use crate::line::Line;
use crate::runners;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub const RELIGHT: &str = env!("CARGO_BIN_EXE_relight");

pub struct Home {
    dir: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("relight-estate-").tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("relight.toml")
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Takes the configuration of an example estate over, with places of this machine in it.
    pub fn configure(&self, estate: &str, places: &[(&str, &str)]) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/estates").join(estate).join("relight.toml");
        let mut text = std::fs::read_to_string(file).unwrap();
        for (there, here) in places {
            assert!(text.contains(there), "the estate does not say `{there}`");
            text = text.replace(there, here);
        }
        std::fs::write(self.config(), text).unwrap();
    }

    pub fn relight(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(RELIGHT);
        command.arg("--config").arg(self.config()).arg("--state").arg(self.state()).args(arguments);
        command.envs(ENVIRONMENT).output().unwrap()
    }

    /// What a command prints with `--json`, and its exit code.
    pub fn json(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let output = self.relight(&[arguments, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)));
        (value, output.status.code())
    }

    /// A run from its plan to its end, with yes to everything that it asks.
    pub fn run(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let mut line = self.open(arguments);
        line.until("Start this plan?");
        line.say("yes");
        line.finish()
    }

    pub fn open(&self, arguments: &[&str]) -> Line {
        let arguments = [&["run"], arguments, &["--plain", "--arm", "the lab's test"]].concat();
        Line::with(self, &arguments, &ENVIRONMENT)
    }

    /// The newest run, whose runner was lost.
    pub fn resume(&self) -> Line {
        Line::with(self, &["resume", "latest"], &ENVIRONMENT)
    }
}

/// What the estates' secrets are read from.
const ENVIRONMENT: [(&str, &str); 2] = [("DB_PASSWORD", "not-asked-for"), ("LAB_S3_SECRET", crate::s3::SECRET)];

/// A test that stops half-way leaves no runner behind.
impl Drop for Home {
    fn drop(&mut self) {
        runners::end_all(&self.state());
    }
}
