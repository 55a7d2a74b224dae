//! The terminal is given back whenever the console does not have it: stopped by Ctrl-Z, broken down, gone.

use crate::pty::Terminal;
use crate::scene::{Form, Place, RELIGHT, Scene};
use relight::tui::TerminalGuard;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(1);
/// Leaves the alternate screen.
const LEAVE: &[u8] = b"\x1b[?1049l";
/// Makes this very program the child that breaks down.
const BREAK: &str = "RELIGHT_TEST_BREAK_DOWN";

fn is_cooked(terminal: &Terminal) -> bool {
    let settings = terminal.settings().unwrap();
    let words: Vec<&str> = settings.split([' ', ';', '\n']).collect();
    words.contains(&"icanon") && words.contains(&"echo") && words.contains(&"isig")
}

fn left(terminal: &Terminal) -> bool {
    terminal.raw.windows(LEAVE.len()).any(|bytes| bytes == LEAVE)
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let scene = Scene::with(Place::Folder, |shop| Form::Custom.bytes(shop)).await;
    let env = BTreeMap::from([("PS1".to_owned(), "ready$ ".to_owned())]);
    let shell = ["--norc", "--noprofile", "-i"];
    let mut terminal = Terminal::start(Path::new("/bin/bash"), &shell, &env, (110, 32)).unwrap();
    terminal.wait_for("ready$", PATIENCE).unwrap();
    let (config, state) = (scene.config(), scene.state());
    let call = format!("{RELIGHT} --config {} --state {}<enter>", config.display(), state.display());
    terminal.type_keys(&call).unwrap();
    terminal.wait("the console", PATIENCE, |screen| screen.contains("scanned") && screen.contains("orders")).unwrap();
    assert!(!is_cooked(&terminal) && !left(&terminal));

    terminal.type_keys("<c-z>").unwrap();
    terminal.wait_for("Stopped", PATIENCE).unwrap();
    assert!(left(&terminal), "the shell's own screen is back");
    terminal.type_keys("stty -a; echo 'it is'over<enter>").unwrap();
    terminal.wait_for("it isover", PATIENCE).unwrap();
    let shown = terminal.text();
    assert!(shown.contains(" icanon") && shown.contains(" echo "), "{shown}");

    terminal.raw.clear();
    terminal.type_keys("fg<enter>").unwrap();
    terminal
        .wait("the console again", PATIENCE, |screen| screen.contains("scanned") && !screen.contains("isover"))
        .unwrap();
    assert!(!is_cooked(&terminal) && !left(&terminal));
    // It reads keys again, and it follows the size of the terminal.
    terminal.type_keys("2").unwrap();
    terminal.wait("the catalog", PATIENCE, |screen| screen.contains("Backups") && !screen.contains("isover")).unwrap();
    terminal.resize(140, 40).unwrap();
    terminal.wait("all 40 lines", PATIENCE, |screen| screen.lines().count() == 40).unwrap();
    terminal.type_keys("q").unwrap();
    terminal.wait_for("ready$", PATIENCE).unwrap();
    assert!(left(&terminal));
    terminal.type_keys("exit<enter>").unwrap();
    terminal.exit_code(PATIENCE).unwrap();
}

/// The test below runs it in a terminal of its own; run by anyone else it does nothing.
#[test]
fn breaks_down() {
    if std::env::var_os(BREAK).is_some() {
        let _guard = TerminalGuard::enter(true, false).unwrap();
        let other = std::thread::spawn(|| panic!("someone else broke down"));
        assert!(other.join().is_err());
        panic!("the drawing broke down");
    }
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_speaks() {
    let program = std::env::current_exe().unwrap();
    let env = BTreeMap::from([(BREAK.to_owned(), "1".to_owned())]);
    let arguments = ["terminal::breaks_down", "--exact", "--nocapture", "--test-threads=1"];
    let mut terminal = Terminal::start(&program, &arguments, &env, (100, 30)).unwrap();
    terminal.wait_for("the drawing broke down", PATIENCE).unwrap();
    terminal.wait_for("test result", PATIENCE).unwrap();
    assert!(is_cooked(&terminal));
    let at = |bytes: &[u8]| terminal.raw.windows(bytes.len()).position(|found| found == bytes);
    let (left, drawing, other) = (at(LEAVE), at(b"the drawing broke down"), at(b"someone else broke down"));
    assert!(left < drawing && left < other && left.is_some(), "{left:?} {drawing:?} {other:?}");
}
