//! Base backups that the program makes itself: into a bucket and a folder, through trouble in the middle, and back
//! from them to a point in time.

use crate::disks::Small;
use crate::instants::carried_out;
use crate::lab::{Lab, walk, written};
use crate::line::{Asked, Line};
use crate::proxy::Fault;
use crate::turns::{killed_at_every_turn, told, word};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const MEMBERS: [&str; 5] = ["SHA256SUMS", "backup_manifest", "base.tar.gz", "metadata.json", "pg_wal.tar.gz"];
const BACK_UP: [&str; 7] =
    ["run", "backup-postgres-base", "--plain", "--arm", "before a risky change", "--set", "asset=db"];

fn json(lab: &Lab, words: &[&str]) -> Value {
    let mut command = Command::new(crate::RELIGHT);
    command.arg("--config").arg(lab.home.config()).arg("--state").arg(lab.home.state());
    let output = command.args(words).arg("--json").output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Every backup that the catalog has.
fn listed(lab: &Lab) -> Vec<Value> {
    json(lab, &["catalog"])["backups"].as_array().unwrap().clone()
}

/// The one backup that is listed; it must be whole and proven in both stores.
fn whole(lab: &Lab) -> Value {
    let all = listed(lab);
    assert_eq!(all.len(), 1, "{all:#?}");
    let backup = all.into_iter().next().unwrap();
    assert_eq!((&backup["complete"], &backup["proof"]["level"]), (&true.into(), &"L4".into()), "{backup:#}");
    assert_eq!(backup["copies"].as_array().unwrap().len(), 2, "{backup:#}");
    backup
}

/// The folder of the backup in the folder store, and in the bucket.
fn folders(lab: &Lab, backup: &Value) -> [PathBuf; 2] {
    let path = backup["copies"][0]["path"].as_str().unwrap();
    [lab.path("shelf").join(path), lab.object(path)]
}

fn names(folder: &Path) -> BTreeSet<String> {
    walk(folder).iter().map(|file| file.strip_prefix(folder).unwrap().to_str().unwrap().to_owned()).collect()
}

/// Whatever of a base backup lies in a run's folder.
fn left_in_runs(lab: &Lab) -> Vec<PathBuf> {
    walk(&lab.home.state().join("runs")).into_iter().filter(|file| file.to_string_lossy().contains("full_")).collect()
}

/// A run of the backup that was started.
fn begun(lab: &Lab, more: &[&str]) -> Line {
    let mut line = Line::open(&lab.home, &[&BACK_UP[..], more].concat());
    line.until("Start this plan?");
    line.say("yes");
    line
}

/// The same, up to its first question after the costly step was let go.
fn copied(lab: &Lab) -> (Line, Asked) {
    let mut line = begun(lab, &[]);
    line.asked().expect("the copy asks");
    line.say("yes");
    let asked = line.asked().unwrap_or_else(|| panic!("nothing went wrong: {}", line.text));
    (line, asked)
}

fn completed(line: Line) -> String {
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_backup_made_here_leads_to_an_instant_after_it() {
    let lab = Lab::bare().await;
    lab.numbers(3);
    let text = completed(begun(&lab, &[]));
    assert!(text.contains("can be reached") || text.contains("open with the next segment"), "{text}");
    let backup = whole(&lab);
    for folder in folders(&lab, &backup) {
        assert_eq!(names(&folder), MEMBERS.map(str::to_owned).into());
        let checked = Command::new("sha256sum")
            .current_dir(&folder)
            .args(["--check", "--strict", "SHA256SUMS"])
            .output()
            .unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
    assert_eq!(left_in_runs(&lab), Vec::<PathBuf>::new());
    lab.numbers(4);
    let good = lab.sql("app", "SELECT md5(string_agg(l::text, ',' ORDER BY n)) || count(*) FROM ledger l");
    let at = lab.sql("app", "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").parse().unwrap();
    lab.sql("app", "DELETE FROM ledger WHERE n % 2 = 0; DROP TABLE IF EXISTS other");
    lab.switch();
    let window = json(&lab, &["window", "db"]);
    let spans = window["spans"].as_array().unwrap_or_else(|| panic!("{window:#}")).clone();
    let metadata = std::fs::read(folders(&lab, &backup)[0].join("metadata.json")).unwrap();
    let told: Value = serde_json::from_slice(&metadata).unwrap();
    let stop = told["stop_time"].as_str().unwrap();
    assert_eq!(spans.len(), 1, "{spans:?}");
    let seconds = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp();
    assert_eq!(seconds(spans[0]["from"].as_str().unwrap()), seconds(stop), "from the end of the backup on: {spans:?}");
    for copy in ["bucket", "shelf"] {
        carried_out(&lab, "db", &written(at), &["--set", &format!("copy={copy}"), "--mode", "drill"]);
    }
    carried_out(&lab, "db", &written(at), &["--set", "copy=bucket"]);
    assert_eq!(lab.sql("app", "SELECT md5(string_agg(l::text, ',' ORDER BY n)) || count(*) FROM ledger l"), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_base_backup_is_listed_as_incomplete_until_the_retry_made_the_rest() {
    let lab = Lab::bare().await;
    let proxy = &lab.proxy;
    proxy.always("PUT", "pg_wal.tar.gz", Fault::slow_down());
    let (mut line, asked) = copied(&lab);
    assert!(asked.text.contains("(step 3 of 6)"), "{}", line.text);
    let half = listed(&lab);
    assert_eq!(half.len(), 1, "{half:#?}");
    assert_eq!(half[0]["complete"], false, "{half:#?}");
    assert!(half[0]["incomplete_because"].to_string().contains("pg_wal.tar.gz"), "{half:#?}");
    let window = json(&lab, &["window", "db"]);
    assert!(window["points"].as_array().is_none_or(Vec::is_empty), "no point in time leads back to it: {window:#}");
    proxy.reset();
    line.say(if asked.answers.contains("look") { "look" } else { "retry" });
    if let Some(asked) = line.asked() {
        line.say(if asked.answers.contains("retry") { "retry" } else { "yes" });
    }
    let text = completed(line);
    let base = proxy.seen().iter().filter(|seen| seen.starts_with("PUT") && seen.contains("base.tar.gz")).count();
    assert_eq!(base, 0, "what was there is not sent again: {text}");
    whole(&lab);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_in_the_middle_leaves_nothing_and_the_retry_is_whole() {
    let lab = Lab::bare().await;
    lab.sql("app", "CREATE TABLE noise AS SELECT gen_random_uuid() AS id FROM generate_series(1, 600000)");
    let state = lab.home.state();
    std::fs::create_dir(&state).unwrap();
    // Room for the cluster, and not for much more.
    let _disk = Small::at(&state, "160m,mode=700");
    let filler = state.join("filler");
    let (folder, full) = (state.clone(), filler.clone());
    let filling = std::thread::spawn(move || {
        while !walk(&folder).iter().any(|file| file.to_string_lossy().contains(".part-")) {
            std::thread::yield_now();
        }
        let mut file = std::fs::File::create(full).unwrap();
        while std::io::Write::write_all(&mut file, &[7; 1 << 13]).is_ok() {}
    });
    let (mut line, asked) = copied(&lab);
    filling.join().unwrap();
    assert!(asked.text.contains("(step 2 of 6)"), "{}", line.text);
    assert!(line.text.contains("No space left on device"), "{}", line.text);
    std::fs::remove_file(filler).unwrap();
    assert_eq!(left_in_runs(&lab), Vec::<PathBuf>::new());
    assert_eq!(listed(&lab), Vec::<Value>::new());
    line.say("retry");
    completed(line);
    whole(&lab);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_backup_killed_at_every_turn_is_resumed_to_one_whole_copy_in_each_store() {
    let lab = Lab::bare().await;
    lab.numbers(2);
    let mut answers = 0;
    // Nothing of it takes a phrase.
    let (turns, text) = killed_at_every_turn(&lab.home, &BACK_UP, 40, told, |asked| {
        answers += 1;
        assert!(answers < 60, "it does not come to an end: {}", asked.text);
        word(asked)
    });
    assert!(
        turns.contains(&"inside base".to_owned()) && turns.contains(&"inside publish".to_owned()),
        "{turns:?} {text}"
    );
    let backup = whole(&lab);
    for folder in folders(&lab, &backup) {
        assert_eq!(names(&folder), MEMBERS.map(str::to_owned).into(), "{turns:?}");
    }
    assert_eq!(left_in_runs(&lab), Vec::<PathBuf>::new(), "{turns:?}");
}

/// Naive: a base backup ends with success while the archive that is to roll it forward has been failing for days.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_archive_is_told_before_anything_is_copied_and_the_own_log_must_be_asked_for() {
    let lab = Lab::bare().await;
    lab.numbers(2);
    let archive = lab.sql("postgres", "SHOW archive_command");
    lab.sql("postgres", "ALTER SYSTEM SET archive_command = '/bin/false'");
    lab.sql("postgres", "SELECT pg_reload_conf()");
    lab.sql("app", "SELECT pg_switch_wal()");
    let failing = "SELECT failed_count > 0 AND last_failed_time > coalesce(last_archived_time, '-infinity') FROM pg_stat_archiver";
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while lab.sql("postgres", failing) != "t" {
        assert!(std::time::Instant::now() < deadline, "the archiver does not fail");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let refused = Line::open(&lab.home, &BACK_UP).finish();
    assert!(refused.0.contains("does not reach the archive") && refused.0.contains("failed at"), "{}", refused.0);
    assert_eq!(listed(&lab), Vec::<Value>::new());
    let text = completed(begun(&lab, &["--set", "own_log=true"]));
    assert!(text.contains("to its own end"), "{text}");
    whole(&lab);
    // And once it works again, the log of the very backup arrives.
    lab.sql("postgres", &format!("ALTER SYSTEM SET archive_command = '{archive}'"));
    lab.sql("postgres", "SELECT pg_reload_conf()");
    lab.numbers(2);
    lab.switch();
    assert_eq!(json(&lab, &["window", "db"])["spans"].as_array().unwrap().len(), 1);
}
