//! A lab: one folder with everything that an estate's configuration names, and the program pointed at it.

use crate::line::Line;
use crate::runners;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
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

    /// Takes over the configuration of an example estate with places of this machine in it. The program must accept it.
    pub fn configure(&self, estate: &str, places: &[(&str, &str)]) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/estates").join(estate).join("relight.toml");
        let mut text = std::fs::read_to_string(file).unwrap();
        for (there, here) in places {
            assert!(text.contains(there), "the estate does not say `{there}`");
            text = text.replace(there, here);
        }
        std::fs::write(self.config(), text).unwrap();
        let checked = self.relight(&["config", "check"]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
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

    /// The same, which must end well; what it printed.
    pub fn completed(&self, arguments: &[&str]) -> String {
        let (text, code) = self.run(arguments);
        assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
        text
    }

    /// Proves the newest backup of an asset.
    pub fn prove(&self, asset: &str) {
        let done = self.relight(&["verify", "latest", "--asset", asset]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&[done.stdout, done.stderr].concat()));
    }

    /// Every copy that the catalog shows: its store and its path.
    pub fn catalogued(&self) -> BTreeSet<(String, String)> {
        let (catalog, _) = self.json(&["catalog"]);
        let copies = catalog["backups"].as_array().unwrap().iter().flat_map(|b| b["copies"].as_array().unwrap());
        let text = |copy: &Value, key: &str| copy[key].as_str().unwrap().to_owned();
        copies.map(|copy| (text(copy, "store"), text(copy, "path"))).collect()
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

/// A command of a script, which must end well; what it printed.
pub fn must(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// An instant as the scripts write it into names.
pub fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y%m%d_%H%M%S").to_string()
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Everything below but the folders.
pub fn walk(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            files.extend(walk(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}

/// Every file below with its bytes.
pub fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let relative = |file: PathBuf| (file.strip_prefix(root).unwrap().to_owned(), std::fs::read(&file).unwrap());
    walk(root).into_iter().map(relative).collect()
}

/// Rules that an asset's findings come from.
pub fn rules(health: &Value, asset: &str) -> Vec<String> {
    let of_asset = health["assets"].as_array().unwrap().iter().find(|found| found["id"] == asset).unwrap();
    let findings = of_asset["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}
