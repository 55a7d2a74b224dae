//! A drill on this machine: the snapshot is loaded and counted, production is not gone near, nothing is left.

use crate::cache::Cache;
use relight::runbook::Mode;
use relight::runbook::state::RunStatus;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_proves_the_backup_and_leaves_nothing() {
    let cache = Cache::flushed(true).await;
    let place = cache.path("drill");
    let drill = format!("server = \"cache\"\ndrill = {{ path = \"{}\" }}", place.display());
    cache.reconfigure(|text| text.replace("server = \"cache\"", &drill));
    let production = cache.production();
    let given = json!({ "asset": "sessions", "backup": "latest" });
    let plan = cache.plan_in(Mode::Drill, "restore-redis", given.clone()).await;
    let plan = plan.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    let mut run = cache.begin(&plan).await;
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    assert!(!place.exists() && cache.beside().is_empty(), "the drill clears what it made");
    assert_eq!(cache.production(), production);
    let listed: serde_json::Value = serde_json::from_slice(&cache.relight(&["catalog", "--json"]).stdout).unwrap();
    assert_eq!(listed["backups"][0]["proof"]["level"], json!("L5"), "{listed:#}");
    let live = format!("path = \"{}/drill\"", cache.live().display());
    cache.reconfigure(|text| text.replace(&format!("path = \"{}\"", place.display()), &live));
    let refused = cache.plan_in(Mode::Drill, "restore-redis", given).await.unwrap_err().join("\n");
    assert!(refused.contains("is production"), "{refused}");
}
