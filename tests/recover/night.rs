//! The real night: the clusters are exchanged, exchanged back, and exchanged while the runner is killed at every turn.

use crate::instants::{carried_out, output};
use crate::lab::{Lab, written};
use crate::line::Line;
use crate::turns::{killed_at_every_turn, phrase_or_word, told};
use relight::runbook::state::RunStatus;
use relight::runner::runs;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_at_every_turn_is_resumed_to_the_same_end() {
    let lab = Lab::build().await;
    let at = lab.commits[lab.base_at + 9] + 10;
    let (asset, target) = ("asset=packed".to_owned(), format!("target={}", written(at)));
    let words = ["run", "recover-postgres", "--plain", "--arm", "data was lost", "--set", &asset, "--set", &target];
    let (turns, text) = killed_at_every_turn(&lab.home, &words, 60, told, phrase_or_word);
    let run = runs::list(&lab.home.state()).unwrap().remove(0);
    assert_eq!(run.state.unwrap().status, RunStatus::Completed, "{turns:?} {text}");
    relight::journal::verify(&run.folder.path).unwrap();
    assert!(
        ["unpack", "fetch", "recover", "swap"].iter().any(|step| turns.contains(&format!("inside {step}"))),
        "{turns:?}"
    );
    assert_eq!(lab.count(), lab.committed_by(at), "{turns:?}");
    assert_eq!(lab.beside().len(), 1, "{turns:?}");
}
