//! Some rows lost, the rest newer than any backup: rows come back by their keys, and nothing else changes.

use crate::crud_app::{CrudApp, DATABASE};
use crate::line::Line;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const RUN: [&str; 5] = ["restore-tables", "--set", "asset=database", "--set", "tables=users, audit_logs"];

/// A hundred users and their trail deleted, eleven garbled, one trail entry rewritten; and since the backup one user
/// and one entry that only the live tables have.
fn damage(lab: &CrudApp) {
    lab.cluster.sql(
        DATABASE,
        "DELETE FROM audit_logs WHERE user_id <= 100; DELETE FROM users WHERE id <= 100; \
         UPDATE users SET name = 'garbage' WHERE id BETWEEN 200 AND 210; \
         UPDATE audit_logs SET action = 'rewritten' WHERE id = 5000; \
         INSERT INTO users (email, name) VALUES ('new@example.org', 'newer than the backup'); \
         INSERT INTO audit_logs (user_id, action, at) VALUES (3001, 'create', now());",
    );
}

async fn lab() -> (CrudApp, String) {
    let lab = CrudApp::build().await;
    lab.prove("database");
    let good = old_rows(&lab, DATABASE);
    damage(&lab);
    (lab, good)
}

/// Rows that the backup has, but for the rewritten entry of the trail, as checksums.
fn old_rows(lab: &CrudApp, database: &str) -> String {
    lab.cluster.sql(
        database,
        "SELECT md5(string_agg(u::text, E'\\n' ORDER BY u.id)) || ' ' || count(*) FROM users u WHERE id <= 3000; \
         SELECT md5(string_agg(a::text, E'\\n' ORDER BY a.id)) || ' ' || count(*) FROM audit_logs a WHERE id <= 6000 AND id <> 5000",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_rows_come_back_and_newer_ones_and_the_audit_trail_stay() {
    let (lab, good) = lab().await;
    let text = lab.completed(&[&RUN[..], &["--set", "overwrite=users"]].concat());
    assert_eq!(old_rows(&lab, DATABASE), good, "{text}");
    let kept = "SELECT (SELECT name FROM users WHERE id = 3001), (SELECT action FROM audit_logs WHERE id = 5000), \
                (SELECT count(*) FROM audit_logs WHERE user_id = 3001)";
    assert_eq!(lab.cluster.sql(DATABASE, kept), "newer than the backup|rewritten|1");
    let schema = lab.cluster.sql(DATABASE, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'relight_before_%'");
    let before = format!("SELECT count(*) FROM {schema}.\"1_before\" WHERE name = 'garbage'");
    assert_eq!(lab.cluster.sql(DATABASE, &before), "11", "what was overwritten is kept");
    let sides = "SELECT count(*) FROM pg_database WHERE datname LIKE '%_restore_%'";
    assert_eq!(lab.cluster.sql("postgres", sides), "0");
    // A new row does not collide with those that came back.
    lab.cluster.sql(DATABASE, "INSERT INTO users (email, name) VALUES ('next@example.org', 'next')");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_is_taken_back_as_a_whole() {
    let (lab, _) = lab().await;
    let damaged = lab.content(DATABASE);
    let mut line = lab.open(&[&RUN[..], &["--set", "overwrite=users"]].concat());
    line.until("Start this plan?");
    line.say("yes");
    line.go_on_to("Remove crud_test_db_restore_").expect("the last step asks");
    assert_ne!(lab.content(DATABASE), damaged);
    line.say("abort-undo the wrong night");
    let (text, code) = line.finish();
    assert_eq!(code, Some(2), "{text}");
    assert_eq!(lab.content(DATABASE), damaged, "{text}");
    assert_eq!(lab.cluster.sql(DATABASE, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'relight_%'"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_allowed_are_not_touched_at_all() {
    let (lab, _) = lab().await;
    let damaged = lab.content(DATABASE);
    let mut line = lab.open(&[&RUN[..], &["--set", "max_rows=150"]].concat());
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.go_on_to("Bring the rows back").expect("the merge asks");
    line.say(asked.phrase.as_deref().unwrap());
    line.asked().expect("the failure asks");
    assert!(line.text.contains("more than the 50 that are left to touch"), "{}", line.text);
    line.say("abort-undo not so many");
    let (text, code) = line.finish();
    assert_eq!(code, Some(2), "{text}");
    assert_eq!(lab.content(DATABASE), damaged);
}

/// The system's own way loads the tables' data over what is there: it collides, says that all is well, and brings
/// nothing back.
#[tokio::test(flavor = "multi_thread")]
async fn no_partial_import_passes_for_a_restore() {
    let (lab, good) = lab().await;
    let backup = lab.path("var/backups/postgres").join(format!("{DATABASE}_latest.sql.gz"));
    let dump = std::process::Command::new("gzip").arg("-dc").arg(backup).output().unwrap().stdout;
    let file = lab.cluster.folder("naive").join("dump");
    std::fs::write(&file, dump).unwrap();
    let script = lab
        .cluster
        .program("pg_restore")
        .args(["--data-only", "-t", "users", "-t", "audit_logs", "-f", "-"])
        .arg(&file)
        .output()
        .unwrap();
    lab.cluster.sql("postgres", &format!("CREATE DATABASE naive TEMPLATE {DATABASE}"));
    std::fs::write(&file, script.stdout).unwrap();
    let loaded = lab
        .cluster
        .program("psql")
        .args(["-X", "-q", "-d", "naive", "-f"])
        .arg(&file)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(loaded.success(), "it says that all is well");
    assert_ne!(old_rows(&lab, "naive"), good, "and the rows are not back");

    lab.completed(&RUN);
    assert_eq!(lab.cluster.sql(DATABASE, "SELECT count(*) FROM users WHERE id <= 100"), "100");
    assert_eq!(
        lab.cluster.sql(DATABASE, "SELECT count(*) FROM users WHERE name = 'garbage'"),
        "11",
        "not asked to overwrite"
    );
}

/// A merge that waits for a lock, and the session that holds it.
fn held_up(lab: &CrudApp) -> (Line, Child) {
    let mut line = lab.open(&[&RUN[..], &["--set", "overwrite=users"]].concat());
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.go_on_to("Bring the rows back").expect("the merge asks");
    let mut holder = lab.cluster.guest(DATABASE);
    holder.stdin.as_mut().unwrap().write_all(b"BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE;\n").unwrap();
    wait_for(lab, "SELECT count(*) > 0 FROM pg_locks WHERE mode = 'RowExclusiveLock' AND granted");
    line.say(asked.phrase.as_deref().unwrap());
    wait_for(lab, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    (line, holder)
}

/// The runner is killed while the merge waits for a lock; the look finds that nothing was committed, and the second
/// attempt brings every row back once.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_whose_runner_is_killed_is_looked_at_and_done_once() {
    let (lab, good) = lab().await;
    let (line, mut holder) = held_up(&lab);
    crate::runners::end_all(&lab.state());
    drop(line);
    drop(holder.stdin.take());
    holder.wait().unwrap();

    let mut line = lab.resume();
    let asked = line.go_on_to("Bring the rows back").expect("it is asked anew");
    assert!(lab.cluster.sql(DATABASE, "SELECT count(*) FROM users WHERE id <= 100") == "0", "{}", asked.text);
    line.say(asked.phrase.as_deref().unwrap_or("retry"));
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    assert_eq!(old_rows(&lab, DATABASE), good, "{text}");
}

/// The server crashes under the merge: nothing of it is there, the run says that it cannot know yet, looks once the
/// server is back, and brings every row back once.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_whose_server_crashes_is_looked_at_and_done_once() {
    let (lab, good) = lab().await;
    let (mut line, mut holder) = held_up(&lab);
    lab.cluster.crash();
    let mut asked = line.asked().expect("it says what happened");
    lab.cluster.start_again();
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert_eq!(lab.cluster.sql(DATABASE, "SELECT count(*) FROM users WHERE id <= 100"), "0", "{}", asked.text);
    for _ in 0..6 {
        let known = ["retry", "look", "yes"].into_iter().find(|word| asked.answers.contains(word));
        let drift = asked.answers.contains("accept").then_some("accept the server crashed and counts anew");
        line.say(asked.phrase.as_deref().or(drift).or(known).unwrap_or_else(|| panic!("{}", asked.text)));
        let Some(next) = line.asked() else { break };
        asked = next;
    }
    assert!(line.text.contains(": COMPLETED"), "{}", line.text);
    assert_eq!(old_rows(&lab, DATABASE), good, "{}", line.text);
}

fn wait_for(lab: &CrudApp, query: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while lab.cluster.sql(DATABASE, query) != "t" {
        assert!(Instant::now() < deadline, "did not come true: {query}");
    }
}
