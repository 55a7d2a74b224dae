//! The whole way, at the prompt; and what the naive way does instead.

use crate::cache::Cache;
use crate::line::Line;
use relight::runbook::state::RunStatus;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

async fn at_the_prompt(appendonly: bool) -> Cache {
    let cache = Cache::flushed(appendonly).await;
    let before = cache.production();
    let arguments =
        ["run", "restore-redis", "--set", "asset=sessions", "--set", "backup=latest", "--plain", "--arm", "flushed"];
    let mut line = Line::open(&cache, &arguments);
    line.until("Start this plan?");
    assert!(line.text.contains("which holds 1 keys"), "{}", line.text);
    line.say("yes");
    let asked = line.go_on_to("(step 5 of 6)").unwrap_or_else(|| panic!("no swap: {}", line.text));
    assert!(asked.text.contains("run id:") && asked.text.contains("inode:"), "{}", asked.text);
    assert_eq!(cache.production(), before, "untouched until the swap");
    line.say(asked.phrase.as_deref().unwrap());
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    let aside = PathBuf::from(cache.name("aside"));
    assert_eq!(aside.metadata().unwrap().ino(), before.1, "the old folder is kept");
    assert_eq!(cache.live().metadata().unwrap().uid(), 65534, "as the server's user");
    assert_eq!(cache.live().metadata().unwrap().mode() & 0o777, 0o750);
    cache
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_log_of_changes() {
    let cache = at_the_prompt(true).await;
    assert_eq!(cache.info("aof_enabled"), "1");
    assert_eq!(cache.beside().len(), 1, "{:?}", cache.beside());
    cache.holds_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_one() {
    let cache = at_the_prompt(false).await;
    assert!(!cache.live().join("appendonlydir").exists(), "no stale log is left for whoever turns it on later");
    cache.holds_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_with_its_folder_lost() {
    let cache = Cache::flushed(true).await;
    cache.run("stop");
    std::fs::rename(cache.live(), cache.path("lost")).unwrap();
    let refused = cache.plan().await.unwrap_err().join("\n");
    assert!(refused.contains("is not there") && refused.contains("owner"), "{refused}");
    std::fs::create_dir(cache.live()).unwrap();
    std::os::unix::fs::chown(cache.live(), Some(65534), Some(65534)).unwrap();
    let plan = cache.plan().await.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    assert!(plan.touches.iter().any(|line| line.contains("which is down")), "{:?}", plan.touches);
    let mut run = cache.begin(&plan).await;
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    cache.holds_all();
}

/// What operators do by hand: stop, put the snapshot in place, start.
#[tokio::test(flavor = "multi_thread")]
async fn the_naive_way_comes_up_without_the_snapshot() {
    let cache = Cache::flushed(true).await;
    cache.run("stop");
    std::fs::copy(cache.snapshot(), cache.live().join("dump.rdb")).unwrap();
    std::fs::remove_dir_all(cache.live().join("appendonlydir")).unwrap();
    cache.run("start");
    assert_eq!(cache.cli(&["DBSIZE"]), "0", "a server with appendonly ignores the snapshot");
}
