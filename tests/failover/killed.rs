//! The runner is killed again and again in the middle of a change of roles; the run comes to the same end.

use crate::client::fall_behind_and_die;
use crate::client::{Writer, acknowledged, missing, phases};
use crate::line::Line;
use crate::pair::{ALPHA, BETA, Pair, signal};
use crate::roles::{arguments, output};
use relight::event::{Event, EventKind, Purpose};
use relight::runbook::state::RunStatus;
use relight::runner::{RunFolder, runs};
use rustix::process::Signal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the runner by force each time that its run shows something new.
fn kill_at_every_turn(state: &Path, stop: &AtomicBool) -> Vec<String> {
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
        let Some(turn) = turn(&events, state.parent().unwrap()) else { continue };
        if turns.contains(&turn) {
            // A copy begins without a word in the journal.
            if !COPIES.iter().any(|step| turn == format!("inside {step}")) {
                read = long;
            }
        } else if let Some(pid) = runs::read(&folder).runner.filter(|pid| *pid != 0) {
            signal(pid, Signal::KILL);
            turns.push(turn);
        }
    }
    turns
}

/// Steps that fill a data folder.
const COPIES: [&str; 2] = ["rejoin", "scratch-primary"];

/// A task that begins, a copy that is under way, a step that is done.
fn turn(events: &[Event], dir: &Path) -> Option<String> {
    events.iter().rev().find_map(|event| match &event.kind {
        EventKind::TaskIntended { step, purpose: Purpose::Run, .. }
            if COPIES.contains(&step.as_str()) && copies(dir) =>
        {
            Some(format!("while {step} copies"))
        }
        EventKind::TaskIntended { step, purpose: Purpose::Run, .. } => Some(format!("inside {step}")),
        EventKind::StepDone { step } => Some(format!("after {step}")),
        _ => None,
    })
}

/// Whether a program fills a data folder of the pair.
fn copies(dir: &Path) -> bool {
    let words = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let words = std::fs::read(entry.path().join("cmdline")).ok()?;
        let first = words.split(|byte| *byte == 0).next()?.rsplit(|byte| *byte == b'/').next()?.to_owned();
        [&b"pg_basebackup"[..], b"pg_rewind"]
            .contains(&&first[..])
            .then(|| String::from_utf8_lossy(&words).into_owned())
    });
    words.into_iter().any(|words| words.contains(dir.to_str().unwrap()))
}

/// A run to its end while its runner is killed at every turn.
pub fn walked(pair: &Pair, runbook: &str, more: &[&str]) -> Vec<String> {
    let (state, stop) = (pair.home.state(), Arc::new(AtomicBool::new(false)));
    let (folder, ended) = (state.clone(), Arc::clone(&stop));
    let mut line = Line::open(&pair.home, &arguments(runbook, more));
    line.until("Start this plan?");
    let killer = std::thread::spawn(move || kill_at_every_turn(&folder, &ended));
    line.say("yes");
    let mut text = String::new();
    for _ in 0..90 {
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
    let state = run.state.unwrap();
    assert_eq!(state.status, RunStatus::Completed, "{turns:?} {text}");
    relight::journal::verify(&run.folder.path).unwrap();
    // What is over before the killer comes to see it is no turn: on a busy machine it sees of each step the beginning
    // or the end, or neither.
    assert!(turns.len() >= state.plan.steps.len() / 2, "{turns:?}");
    turns
}

#[test]
fn a_runner_killed_at_every_turn_of_a_switchover_is_resumed_to_the_same_end() {
    let pair = Pair::start();
    let writer = Writer::start(pair.ports);
    pair.streams(BETA);
    writer.more(ALPHA);
    walked(&pair, "switchover-postgres", &[]);
    writer.more(BETA);
    let acks = writer.stop();
    assert_eq!(phases(&acks), [ALPHA, BETA], "one after the other");
    let all: Vec<u64> = acks.iter().map(|(n, _)| *n).collect();
    assert_eq!(missing(&pair.ledger(BETA), &all), [0; 0]);
    pair.streams(ALPHA);
}

#[test]
fn a_runner_killed_at_every_turn_of_a_failover_and_of_a_copy_back_is_resumed_to_the_same_end() {
    there_and_back("fresh");
}

#[test]
fn a_runner_killed_at_every_turn_of_a_failover_and_of_a_rewind_is_resumed_to_the_same_end() {
    there_and_back("rewind");
}

fn there_and_back(method: &str) {
    let pair = Pair::start();
    let writer = Writer::start(pair.ports);
    fall_behind_and_die(&pair, &writer);
    walked(&pair, "failover-postgres", &[]);
    writer.more(BETA);
    let acks = writer.acks();
    assert_eq!(phases(&acks), [ALPHA, BETA], "one after the other");
    let lost = missing(&pair.ledger(BETA), &acknowledged(&acks, ALPHA));
    let estimate = output(&pair, "loss")["commits_at_most"].as_u64().unwrap();
    assert!(lost.len() as u64 <= estimate, "{} lost, {estimate} estimated", lost.len());

    let turns = walked(&pair, "failback-postgres", &["--set", &format!("method={method}")]);
    writer.more(ALPHA);
    let acks = writer.stop();
    assert_eq!(phases(&acks), [ALPHA, BETA, ALPHA], "{turns:?}");
    let since: Vec<u64> = acks.iter().skip_while(|(_, server)| *server == ALPHA).map(|(n, _)| *n).collect();
    assert_eq!(missing(&pair.ledger(ALPHA), &since), [0; 0], "nothing is lost on the way back: {turns:?}");
    pair.streams(BETA);
    assert!(method != "fresh" || turns.iter().any(|turn| turn == "while rejoin copies"), "{turns:?}");
    assert_eq!(
        pair.aside(),
        usize::from(method == "fresh"),
        "the old data folder is kept once where it was not rewound"
    );
}
