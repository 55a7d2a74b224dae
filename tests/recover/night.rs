//! The real night: the clusters are exchanged, exchanged back, and exchanged while the runner is killed at every turn.

use crate::instants::{carried_out, output};
use crate::lab::{Lab, written};
use crate::line::Line;
use relight::event::{EventKind, Purpose};
use relight::runbook::state::RunStatus;
use relight::runner::{RunFolder, runs};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[tokio::test(flavor = "multi_thread")]
async fn a_recovered_cluster_takes_the_live_ones_place_and_the_old_folder_stays() {
    let lab = Lab::build().await;
    let all = lab.commits.len();
    let at = lab.commits[lab.base_at + 9] + 10;
    lab.sql("app", "DELETE FROM ledger");
    let text = carried_out(&lab, "bucket", &written(at), &[]);
    assert_eq!(lab.count(), lab.committed_by(at), "{text}");
    assert_eq!(lab.sql("app", "SELECT max(n) = count(*) FROM ledger"), "t");
    assert_eq!(lab.sql("app", "SHOW max_connections"), "37", "its settings are the live ones");
    assert_eq!(lab.sql("app", "SHOW archive_mode"), "on");
    let timeline = output(&lab, "swap")["timeline"].as_u64().unwrap();
    assert_eq!(timeline, 3, "a history of its own");
    lab.archived("00000003.history");
    lab.sql("app", "INSERT INTO ledger SELECT max(n) + 1 FROM ledger");
    let beside = lab.beside();
    assert!(beside.len() == 1 && beside[0].starts_with("live.before_"), "{beside:?}");
    assert!(all > lab.count());
}

/// A run that stands at its commit point: recovered to the commit behind the base backup's, and nothing exchanged.
fn provisional(lab: &Lab, asset: &str, at: i64) -> Line {
    let (asset, target) = (format!("asset={asset}"), format!("target={}", written(at)));
    let words = ["run", "recover-postgres", "--plain", "--arm", "data was lost", "--set", &asset, "--set", &target];
    let mut line = Line::open(&lab.home, &words);
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.go_on_to("It commits").unwrap_or_else(|| panic!("{}", line.text));
    assert!(asked.phrase.is_some() && asked.text.contains("another-point"), "{}", asked.text);

    line
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_commit_another_point_is_chosen_or_all_is_rolled_back() {
    let lab = Lab::build().await;
    let (all, live) = (lab.count(), lab.sql("app", "SELECT pg_postmaster_start_time()"));
    let (first, second) = (lab.commits[lab.base_at + 9], lab.commits[lab.base_at + 4]);
    let mut line = provisional(&lab, "plain", first);
    assert_eq!(output(&lab, "validate")["rows"], lab.committed_by(first));
    let target = format!("target={}", written(second));
    let mut elsewhere =
        Line::open(&lab.home, &["another-point", "latest", "--set", &target, "--reason", "the damage was earlier"]);
    elsewhere.until("to go back by it:");
    let wanted = elsewhere.text.rsplit_once("; type ").unwrap().1[..8].to_owned();
    elsewhere.say(&wanted);
    elsewhere.until("Another point is chosen");
    line.until("the new plan is in force");
    line.go_on_to("It commits").unwrap_or_else(|| panic!("{}", line.text));
    assert_eq!(output(&lab, "validate")["rows"], lab.committed_by(second));
    line.say("abort-undo it was no damage");
    let (text, _) = line.finish();
    assert!(text.contains("ABORTED, CLEAN"), "{text}");
    assert_eq!(
        (lab.count(), lab.sql("app", "SELECT pg_postmaster_start_time()")),
        (all, live),
        "production was not touched"
    );
    assert_eq!(lab.beside(), [""; 0], "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovered_cluster_that_does_not_start_gives_its_place_back() {
    let lab = Lab::build().await;
    let all = lab.count();
    let mut line = provisional(&lab, "packed", lab.commits[lab.base_at + 9]);
    let side = lab.beside().into_iter().find(|name| name.ends_with(|c: char| c.is_ascii_digit())).unwrap();
    std::fs::write(lab.path(&side).join("PG_VERSION"), "99\n").unwrap();
    let phrase = line.text.rsplit_once("  phrase:").unwrap().1.lines().next().unwrap().trim().to_owned();
    line.say(&phrase);
    line.until("the old folder was put back, and its cluster serves again");
    assert_eq!(lab.count(), all);
    let asked = line.asked().unwrap();
    assert!(asked.answers.contains("abort-undo"), "{}", asked.text);
    line.say("abort-undo it does not start");
    let (text, _) = line.finish();
    assert_eq!((lab.count(), lab.beside()), (all, Vec::new()), "{text}");
}

/// Ends the runner by force each time that its run shows something new.
pub fn kill_at_every_turn(state: &Path, stop: &AtomicBool) -> Vec<String> {
    let mut turns = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        std::thread::yield_now();
        let runs = std::fs::read_dir(state.join("runs")).into_iter().flatten().flatten();
        let Some(name) = runs.filter_map(|entry| entry.file_name().into_string().ok()).max() else { continue };
        let folder = RunFolder::of(state, &name.into());
        let Ok(events) = relight::journal::read(&folder.path) else { continue };
        let turn = events.iter().rev().find_map(|event| match &event.kind {
            EventKind::TaskIntended { step, purpose: Purpose::Run, .. } => Some(format!("inside {step}")),
            EventKind::StepDone { step } => Some(format!("after {step}")),
            _ => None,
        });
        let Some(turn) = turn.filter(|turn| !turns.contains(turn)) else { continue };
        if let Some(pid) = runs::read(&folder).runner.filter(|pid| *pid != 0) {
            let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL);
            turns.push(turn);
        }
    }
    turns
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_at_every_turn_is_resumed_to_the_same_end() {
    let lab = Lab::build().await;
    let at = lab.commits[lab.base_at + 9] + 10;
    let (asset, target) = ("asset=packed".to_owned(), format!("target={}", written(at)));
    let words = ["run", "recover-postgres", "--plain", "--arm", "data was lost", "--set", &asset, "--set", &target];
    let (state, stop) = (lab.home.state(), Arc::new(AtomicBool::new(false)));
    let (folder, ended) = (state.clone(), Arc::clone(&stop));
    let mut line = Line::open(&lab.home, &words);
    line.until("Start this plan?");
    let killer = std::thread::spawn(move || kill_at_every_turn(&folder, &ended));
    line.say("yes");
    let mut text = String::new();
    for _ in 0..60 {
        while let Some(asked) = line.asked() {
            let answer = ["yes", "retry", "look"].into_iter().find(|word| asked.answers.contains(word));
            line.say(asked.phrase.as_deref().or(answer).unwrap());
        }
        text.push_str(&line.text);
        if runs::list(&state).unwrap().remove(0).state.is_ok_and(|state| state.status.is_over()) {
            break;
        }
        line = Line::open(&lab.home, &["resume", "latest"]);
    }
    stop.store(true, Ordering::Relaxed);
    let turns = killer.join().unwrap();
    let run = runs::list(&state).unwrap().remove(0);
    assert_eq!(run.state.unwrap().status, RunStatus::Completed, "{turns:?} {text}");
    relight::journal::verify(&run.folder.path).unwrap();
    assert!(
        ["unpack", "fetch", "recover", "swap"].iter().any(|step| turns.contains(&format!("inside {step}"))),
        "{turns:?}"
    );
    assert_eq!(lab.count(), lab.committed_by(at), "{turns:?}");
    assert_eq!(lab.beside().len(), 1, "{turns:?}");
}
