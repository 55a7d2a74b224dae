//! Someone at the console's keys, in a terminal of its own: presses, and reads the screen.

use crate::pty::Terminal;
use crate::scene::RELIGHT;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Longest wait for anything on the screen.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Console(pub Terminal);

impl Console {
    /// The overview with a finished scan.
    pub fn open(config: &Path, state: &Path, asset: &str) -> Self {
        let arguments = [Path::new("--config"), config, Path::new("--state"), state];
        let terminal = Terminal::start(Path::new(RELIGHT), &arguments, &BTreeMap::new(), (120, 36)).unwrap();
        let mut console = Self(terminal);
        console.sees(asset);
        console.sees("scanned");
        console
    }

    pub fn sees(&mut self, text: &str) {
        self.0.wait_for(text, PATIENCE).unwrap();
    }

    pub fn keys(&mut self, keys: &str) {
        self.0.type_keys(keys).unwrap();
    }

    /// From the overview, with the cursor on the asset, to the started and armed run that reads from `store`.
    pub fn restore(&mut self, store: &str) {
        self.keys("R");
        self.sees("p makes the plan");
        self.keys("jj");
        self.sees("The store to read from");
        // The console shows what it has while its scan goes on: the copy may come a moment later.
        let offered = |line: &str| !line.contains("Copy  ") && line.contains(store);
        self.0.wait("the copy", PATIENCE, |screen| screen.lines().any(offered)).unwrap();
        self.keys("<right>");
        let chosen = |line: &str| line.contains("Copy  ") && line.contains(store);
        self.0.wait("the chosen copy", PATIENCE, |screen| screen.lines().any(chosen)).unwrap();
        self.keys("M");
        self.sees("every step runs");
        self.keys("p");
        self.sees("nothing has been changed yet");
        self.sees(&format!("from store {store}"));
        self.keys("s");
        self.sees("Start this plan?");
        self.keys("y");
        self.sees("Read-only: arm the run");
        self.keys("a");
        self.sees("Arm this run");
        self.keys("some of it is lost<c-y>");
        self.sees("RUN ARMED");
    }

    /// Opens the question of a step and says yes to it.
    pub fn says_yes_at(&mut self, step: u32) {
        self.comes_to(step);
        self.keys("a");
        self.sees("Leave open");
        self.keys("y");
        self.0.wait("the dialog closes", PATIENCE, |screen| !screen.contains("Leave open")).unwrap();
    }

    /// The run waits for an answer to this step.
    pub fn comes_to(&mut self, step: u32) {
        self.sees(&format!("your turn  {step} "));
    }

    /// Types the phrase of the swap at `step` as the dialog shows it, and waits for the end of the run.
    pub fn swaps(&mut self, step: u32, what: &str) {
        self.comes_to(step);
        self.keys("a");
        self.0.wait("the phrase", PATIENCE, |screen| phrase(screen, what).is_some()).unwrap();
        let phrase = phrase(&self.0.text(), what).unwrap();
        self.keys(&phrase);
        self.keys("<c-y>");
        self.0.wait("the end", PATIENCE, |screen| screen.contains("completed") && screen.contains(" ended ")).unwrap();
    }

    pub fn quits(mut self) {
        self.keys("q");
        // It asks first unless it already knows that the runner has gone.
        if self.0.wait_for("Leave the console?", PATIENCE).is_ok() {
            self.keys("y");
        }
        assert_eq!(self.0.exit_code(PATIENCE), Ok(0));
    }
}

/// What the open dialog wants typed, which begins with `swap` and the target's name.
fn phrase(screen: &str, what: &str) -> Option<String> {
    let start = format!("swap {what}");
    screen.lines().find_map(|line| {
        let shown = &line[line.find(&start)?..];
        let words: Vec<&str> = shown.split_whitespace().take(3).collect();
        Some(words.join(" "))
    })
}
