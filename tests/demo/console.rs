//! `relight demo` in a terminal: it ends with its terminal, keeps its log off the screen, and says what ends.

use crate::pty::Terminal;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(2);

/// A demo with its console open, in a folder for temporary files of its own.
fn open(temp: &Path, more: &[&str]) -> Terminal {
    let env = BTreeMap::from([("TMPDIR".to_owned(), temp.to_str().unwrap().to_owned())]);
    let arguments: Vec<&str> = [&["demo"], more].concat();
    let mut terminal = Terminal::start(Path::new(env!("CARGO_BIN_EXE_relight")), &arguments, &env, (120, 36)).unwrap();
    let wanted = |screen: &str| screen.contains("orders-db") && screen.contains("scanned");
    terminal.wait("the console", PATIENCE, wanted).unwrap();
    terminal
}

/// Sandboxes below a folder for temporary files.
fn sandboxes(temp: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(temp).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("relight-demo-")).collect()
}

#[test]
fn the_sandbox_goes_with_the_terminal() {
    let temp = tempfile::tempdir().unwrap();
    let mut terminal = open(temp.path(), &[]);
    let [sandbox] = sandboxes(temp.path()).try_into().expect("one sandbox");
    let server = crate::sandbox::postmaster(&sandbox);
    terminal.close().unwrap();
    terminal.exit_code(Duration::from_secs(30)).unwrap();
    assert_eq!(sandboxes(temp.path()), [] as [PathBuf; 0]);
    assert!(!Path::new(&format!("/proc/{server}")).exists(), "the server stayed");
}

#[test]
fn the_log_stays_off_the_screen_and_leaving_says_that_runs_end() {
    let temp = tempfile::tempdir().unwrap();
    let kept = temp.path().join("kept");
    let mut terminal = open(temp.path(), &["-vv", "--dir", kept.to_str().unwrap()]);
    let log = kept.join("state/relight.log");
    let deadline = Instant::now() + PATIENCE;
    while std::fs::metadata(&log).map_or(0, |found| found.len()) == 0 {
        assert!(Instant::now() < deadline, "nothing is logged");
    }
    let text = std::fs::read_to_string(&log).unwrap();
    let message = text.lines().next().unwrap().split_whitespace().nth(2).unwrap();
    terminal.settle();
    assert!(!terminal.text().contains(message), "`{message}` is on the screen:\n{}", terminal.text());

    wait_at_a_question(&kept);
    terminal.type_keys("5").unwrap();
    terminal.wait_for("waiting for you", PATIENCE).unwrap();
    terminal.type_keys("<c-c>").unwrap();
    terminal.wait_for("Leave the console?", PATIENCE).unwrap();
    let shown = terminal.text();
    assert!(shown.contains("servers stop with the console") && !shown.contains("go on without you"), "{shown}");
    terminal.type_keys("y").unwrap();
    assert_eq!(terminal.exit_code(PATIENCE), Ok(0));
    assert!(terminal.text().contains("its runner ends with the sandbox"), "{}", terminal.text());
}

/// Starts a run from the command line, and leaves it at its first question.
fn wait_at_a_question(sandbox: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_relight"))
        .arg("--config")
        .arg(sandbox.join("relight.toml"))
        .arg("--state")
        .arg(sandbox.join("state"))
        .args(["run", "restore-postgres", "--set", "asset=orders-db", "--plain", "--arm", "to see what ends"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"yes\n").unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(said.contains("The run waits"), "{said}");
}
