//! Backups that Relight makes itself: in every store, seen and proven; and then restored.

use crate::cache::Cache;
use crate::line::Line;
use crate::operator::at;
use serde_json::json;

const ARGUMENTS: [&str; 6] = ["run", "backup-redis", "--set", "asset=sessions", "--plain", "--arm"];

async fn round_trip(cache: Cache, ending: &str) {
    cache.fill();
    let mut line = Line::open(&cache, &[&ARGUMENTS[..], &["before a change"]].concat());
    line.until("Start this plan?");
    line.say("yes");
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    let listed = cache.relight(&["catalog", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let [backup] = &listed["backups"].as_array().unwrap()[..] else { panic!("{listed:#}") };
    assert_eq!(backup["copies"].as_array().unwrap().len(), 2, "{backup:#}");
    assert!(backup["copies"][0]["path"].as_str().unwrap().ends_with(ending), "{backup:#}");
    assert_eq!(backup["proof"]["level"], json!("L4"), "{backup:#}");
    cache.cli(&["FLUSHALL"]);
    let given = json!({ "asset": "sessions", "backup": "latest-proven", "copy": "bucket" });
    let plan = cache.plan_of("restore-redis", given).await.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    let mut run = cache.begin(&plan).await;
    run.finish().await;
    cache.holds_all();
}

/// Sent without a file on the server's disk; the end is told by a mark.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_streamed() {
    let cache = Cache::running(true).await;
    cache.cli(&["CONFIG", "SET", "repl-diskless-sync", "yes"]);
    Box::pin(round_trip(cache, ".rdb")).await;
}

/// Sent from a file whose length is told first; kept compressed.
#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_sent_from_disk() {
    let cache = Cache::running(true).await;
    cache.cli(&["CONFIG", "SET", "repl-diskless-sync", "no"]);
    cache.reconfigure(|text| text.replace(".rdb\"", ".rdb.gz\""));
    Box::pin(round_trip(cache, ".rdb.gz")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_server_pushes_no_good_backup_out() {
    let cache = Cache::flushed(true).await;
    cache.cli(&["FLUSHALL"]);
    let plan = cache.plan_of("backup-redis", json!({ "asset": "sessions" })).await.unwrap();
    let mut run = cache.begin(&plan).await;
    let stopped = run.go_on(at("publish")).await.expect("the run ended");
    assert!(stopped.step.as_str() == "pull" && run.failures().contains("it is emptied"), "{}", run.failures());
    run.abort().await;
    assert_eq!(std::fs::read_dir(cache.path("shelf")).unwrap().count(), 1, "nothing was published");
}

/// What the server keeps in memory alone is in the old folder after a swap.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_only_in_memory_is_saved_before_the_swap() {
    let cache = Cache::flushed(false).await;
    cache.cli(&["CONFIG", "SET", "save", ""]);
    let plan = cache.plan().await.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    let mut run = cache.begin(&plan).await;
    run.finish().await;
    let old = std::fs::read(format!("{}/dump.rdb", cache.name("aside"))).unwrap();
    let found = old.windows(22).any(|bytes| bytes == b"written after the loss");
    assert!(found, "the key that was written before the swap");
    cache.holds_all();
}
