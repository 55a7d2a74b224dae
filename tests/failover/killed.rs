//! The runner is killed again and again in the middle of a change of roles; the run comes to the same end.

use crate::client::{Writer, missing, phases};
use crate::line::Line;
use crate::pair::{ALPHA, BETA, Pair, signal};
use crate::roles::arguments;
use relight::event::{EventKind, Purpose};
use relight::runbook::state::RunStatus;
use relight::runner::runs;
use rustix::process::Signal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the runner by force each time its journal shows something new: a task that begins, a step that is done.
fn kill_at_every_turn(state: &Path, stop: &AtomicBool) -> Vec<String> {
    let mut turns = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        std::thread::yield_now();
        let Some(entry) = runs::list(state).ok().and_then(|mut runs| (!runs.is_empty()).then(|| runs.remove(0))) else {
            continue;
        };
        let Ok(events) = relight::journal::read(&entry.folder.path) else { continue };
        let last = events.iter().rev().find_map(|event| match &event.kind {
            EventKind::TaskIntended { step, purpose: Purpose::Run, .. } => Some(format!("inside {step}")),
            EventKind::StepDone { step } => Some(format!("after {step}")),
            _ => None,
        });
        let Some((turn, pid)) = last.zip(entry.runner) else { continue };
        if !turns.contains(&turn) {
            signal(pid, Signal::KILL);
            turns.push(turn);
        }
    }
    turns
}

#[test]
fn a_runner_killed_at_every_turn_of_a_switchover_is_resumed_to_the_same_end() {
    let pair = Pair::start();
    let writer = Writer::start(pair.ports);
    pair.streams(BETA);
    writer.more(ALPHA);
    let (state, stop) = (pair.home.state(), Arc::new(AtomicBool::new(false)));
    let (folder, ended) = (state.clone(), Arc::clone(&stop));
    let killer = std::thread::spawn(move || kill_at_every_turn(&folder, &ended));
    let mut line = Line::open(&pair.home, &arguments("switchover-postgres", &[]));
    line.until("Start this plan?");
    line.say("yes");
    let mut text = String::new();
    for _ in 0..60 {
        while let Some(asked) = line.asked() {
            // A step that was cut off in the middle is looked at first, and then begun again.
            let answer = ["yes", "retry", "look"].into_iter().find(|word| asked.answers.contains(word));
            line.say(asked.phrase.as_deref().or(answer).unwrap());
        }
        text.push_str(&line.text);
        if runs::list(&state).unwrap().remove(0).state.is_ok_and(|state| state.status.is_over()) {
            break;
        }
        line = Line::open(&pair.home, &["resume", "latest"]);
    }
    stop.store(true, Ordering::Relaxed);
    let turns = killer.join().unwrap();
    let run = runs::list(&state).unwrap().remove(0);
    assert_eq!(run.state.unwrap().status, RunStatus::Completed, "{turns:?} {text}");
    assert!(turns.len() >= 11, "{turns:?}");
    writer.more(BETA);
    let acks = writer.stop();
    assert_eq!(phases(&acks), [ALPHA, BETA], "one after the other");
    let all: Vec<u64> = acks.iter().map(|(n, _)| *n).collect();
    assert_eq!(missing(&pair.ledger(BETA), &all), [0; 0], "{text}");
    pair.streams(ALPHA);
    relight::journal::verify(&run.folder.path).unwrap();
}
