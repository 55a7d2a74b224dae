//! The runner is killed again and again in the middle of a change of roles; the run comes to the same end.

use crate::client::fall_behind_and_die;
use crate::client::{Writer, acknowledged, missing, phases};
use crate::pair::{ALPHA, BETA, Pair};
use crate::roles::{arguments, output};
use crate::turns::{self, Turn};
use relight::event::Event;
use relight::runbook::state::RunStatus;
use relight::runner::runs;
use std::path::Path;

/// Steps that fill a data folder.
const COPIES: [&str; 2] = ["rejoin", "scratch-primary"];

/// A copy that is under way is a turn of its own, and begins without a word in the journal.
fn turn(events: &[Event], dir: &Path) -> Option<Turn> {
    let told = turns::told(events, dir)?;
    match COPIES.iter().find(|step| told.name == format!("inside {step}")) {
        Some(step) if copies(dir) => Some(Turn { name: format!("while {step} copies"), silent: false }),
        Some(_) => Some(Turn { silent: true, ..told }),
        None => Some(told),
    }
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
    let (turns, text) =
        turns::killed_at_every_turn(&pair.home, &arguments(runbook, more), 90, turn, turns::phrase_or_word);
    let run = runs::list(&pair.home.state()).unwrap().remove(0);
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
