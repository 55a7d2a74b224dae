//! Random instants inside the window: exactly what was committed by then, whatever the archive is made of.

use crate::lab::{Lab, written};
use crate::line::Line;
use relight::model::task::{TaskOutcome, Values};
use relight::runbook::state::RunStatus;
use relight::runner::runs;

/// The output of a step of the newest run.
pub fn output(lab: &Lab, step: &str) -> Values {
    let state = runs::list(&lab.home.state()).unwrap().remove(0).state.unwrap();
    match &state.step(&step.into()).unwrap().outcome {
        Some(TaskOutcome::Done { output }) => output.clone(),
        other => panic!("{step}: {other:?}"),
    }
}

/// A run to its end, with yes to everything.
pub fn carried_out(lab: &Lab, asset: &str, target: &str, more: &[&str]) -> String {
    let (asset, target) = (format!("asset={asset}"), format!("target={target}"));
    let mut words =
        vec!["run", "recover-postgres", "--plain", "--arm", "data was lost", "--set", &asset, "--set", &target];
    words.extend(more);
    let mut line = Line::open(&lab.home, &words);
    line.until("Start this plan?");
    line.say("yes");
    let (text, _) = line.finish();
    let state = runs::list(&lab.home.state()).unwrap().remove(0).state.unwrap();
    assert_eq!(state.status, RunStatus::Completed, "{target}: {text}");
    text
}

/// Recovers beside the live cluster, counts, and clears: nothing is left, and the live cluster was not touched.
fn drilled(lab: &Lab, asset: &str, target: &str) -> u64 {
    let before = lab.sql("app", "SELECT pg_postmaster_start_time(), count(*) FROM ledger GROUP BY 1");
    carried_out(lab, asset, target, &["--mode", "drill"]);
    assert_eq!(lab.sql("app", "SELECT pg_postmaster_start_time(), count(*) FROM ledger GROUP BY 1"), before);
    assert_eq!(lab.beside(), [""; 0], "nothing is left");
    output(lab, "validate")["rows"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_instant_of_the_window_keeps_exactly_what_was_committed_by_then() {
    let lab = Lab::build().await;
    let mut seed = u64::from(std::process::id());
    if let Ok(given) = std::env::var("RELIGHT_PITR_SEED") {
        seed = given.parse().unwrap();
    }
    eprintln!("RELIGHT_PITR_SEED={seed}");
    let (first, last) = (lab.commits[lab.base_at], *lab.commits.last().unwrap());
    for asset in ["plain", "packed", "bucket", "plain", "bucket"] {
        // Knuth's multiplier; the high bits are the good ones.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = first + ((seed >> 20) % (last - first) as u64) as i64;
        let rows = drilled(&lab, asset, &written(at));
        assert_eq!(rows, lab.committed_by(at) as u64, "{asset} at {}", written(at));
        let (kept, out) = (&output(&lab, "recover")["kept"], &output(&lab, "recover")["left_out"]);
        assert!(kept["micros"].as_i64().unwrap() <= at && out["micros"].as_i64().unwrap() > at, "{kept} {out}");
        let archived = std::fs::read_dir(lab.path("spool")).unwrap().count();
        assert_eq!(archived, lab.files, "the recovered cluster wrote nothing into the archive");
    }
    assert_eq!(drilled(&lab, "packed", "name:before deploy"), lab.deploy_at as u64);
    assert_eq!(drilled(&lab, "bucket", "latest"), lab.commits.len() as u64);
}
