//! Runs whose runner is killed at every turn, and which somebody goes on with until they are over.

use crate::home::Home;
use crate::line::{Asked, Line};
use relight::event::{Event, EventKind, Purpose};
use relight::runner::{RunFolder, runs};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where a run stands.
pub struct Turn {
    pub name: String,
    /// Whether its next turn may come without a word in the journal.
    pub silent: bool,
}

/// The turn that a run is at by its journal, and by what is in the folder of its lab.
type At = fn(&[Event], &Path) -> Option<Turn>;

/// A task that begins, a step that is done.
pub fn told(events: &[Event], _: &Path) -> Option<Turn> {
    let name = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::TaskIntended { step, purpose: Purpose::Run, .. } => Some(format!("inside {step}")),
        EventKind::StepDone { step } => Some(format!("after {step}")),
        _ => None,
    })?;
    Some(Turn { name, silent: false })
}

/// A step that was cut off in the middle is looked at first, and then begun again.
pub fn word(asked: &Asked) -> String {
    let known = ["yes", "retry", "look"].into_iter().find(|word| asked.answers.contains(word));
    known.unwrap_or_else(|| panic!("{}", asked.text)).to_owned()
}

/// The same, with the phrase where one is wanted.
pub fn phrase_or_word(asked: &Asked) -> String {
    asked.phrase.clone().unwrap_or_else(|| word(asked))
}

/// A run to its end, in at most so many lives of its runner, which is killed at every turn. Which turns these were, and
/// everything that was printed.
pub fn killed_at_every_turn(
    home: &Home,
    arguments: &[&str],
    lives: u32,
    at: At,
    mut answer: impl FnMut(&Asked) -> String,
) -> (Vec<String>, String) {
    let (state, stop) = (home.state(), Arc::new(AtomicBool::new(false)));
    let (folder, ended) = (state.clone(), Arc::clone(&stop));
    let mut line = Line::open(home, arguments);
    line.until("Start this plan?");
    let killer = std::thread::spawn(move || kill(&folder, &ended, at));
    line.say("yes");
    let mut text = String::new();
    for _ in 0..lives {
        while let Some(asked) = line.asked() {
            line.say(&answer(&asked));
        }
        text.push_str(&line.text);
        if runs::list(&state).unwrap().remove(0).state.is_ok_and(|state| state.status.is_over()) {
            break;
        }
        line = Line::open(home, &["resume", "latest"]);
    }
    stop.store(true, Ordering::Relaxed);
    (killer.join().unwrap(), text)
}

/// Ends the runner by force each time that its run shows something new.
fn kill(state: &Path, stop: &AtomicBool, at: At) -> Vec<String> {
    let (mut turns, mut read) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        std::thread::yield_now();
        let runs = std::fs::read_dir(state.join("runs")).into_iter().flatten().flatten();
        // Their names begin with when they were made.
        let Some(name) = runs.filter_map(|entry| entry.file_name().into_string().ok()).max() else { continue };
        let folder = RunFolder::of(state, &name.into());
        let long = std::fs::metadata(folder.path.join("journal.jsonl")).map_or(0, |file| file.len());
        if long == read {
            continue;
        }
        let Ok(events) = relight::journal::read(&folder.path) else { continue };
        let Some(turn) = at(&events, state.parent().unwrap()) else { continue };
        if turns.contains(&turn.name) {
            if !turn.silent {
                read = long;
            }
        } else if let Some(pid) = runs::read(&folder).runner.filter(|pid| *pid != 0) {
            // It may have left meanwhile.
            let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL);
            turns.push(turn.name);
        }
    }
    turns
}
