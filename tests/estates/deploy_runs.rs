//! The anomaly-detection service observed, damaged and restored.

use crate::deploy::{DATABASE, Deploy, TREES};
use crate::home::{rules, stamp, tree};
use std::process::Stdio;

#[tokio::test(flavor = "multi_thread")]
async fn deploy_catalog_window_and_health_agree_with_a_walk_over_the_files() {
    let lab = Deploy::build().await;
    assert_eq!(lab.catalogued(), lab.listed());
    assert_eq!(lab.listed().len(), 10, "two nights of a dump and an archive in two places each, and of models");
    let (window, code) = lab.json(&["window", "database"]);
    assert_eq!((window["points"].as_array().unwrap().len(), code), (2, Some(0)), "{window}");
    let (health, code) = lab.json(&["health"]);
    assert_eq!(code, Some(2), "{health:#}");
    assert_eq!(rules(&health, "database"), ["unproven"], "{health:#}");
    assert_eq!(rules(&health, "models"), ["unproven"], "{health:#}");
    assert!(rules(&health, "cache").contains(&"no-backup".to_owned()), "Redis has no backup at all: {health:#}");
    for asset in ["database", "models", "configuration"] {
        lab.prove(asset);
    }
    let (catalog, _) = lab.json(&["catalog"]);
    let proven = catalog["backups"].as_array().unwrap().iter().filter(|backup| backup["proof"]["level"] == "L4");
    assert_eq!(proven.count(), 3, "{catalog:#}");
}

/// Naive: a nightly dump is taken for the base of a recovery, and the log is replayed onto another cluster.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_a_dump_is_no_base_for_a_point_in_time() {
    let lab = Deploy::build().await;
    lab.archived();
    let (window, _) = lab.json(&["window", "database-log"]);
    assert!(window["spans"].as_array().is_none_or(Vec::is_empty), "there is log, and no base: {window:#}");
    assert_eq!(window["log_without_base"], true, "{window:#}");
    let said = lab.relight(&["window", "database-log"]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.code() == Some(2) && text.contains("there is log, and no base backup"), "{text}");
    let (health, _) = lab.json(&["health"]);
    assert!(rules(&health, "database-log").contains(&"no-backup".to_owned()), "{health:#}");
    let (catalog, _) = lab.json(&["catalog"]);
    let dump = catalog["backups"].as_array().unwrap().iter().find(|backup| backup["asset"] == "database").unwrap();
    let base = format!("base={}", dump["id"].as_str().unwrap());
    let refused =
        lab.relight(&["plan", "recover-postgres", "--set", "asset=database", "--set", "target=latest", "--set", &base]);
    let text = String::from_utf8([refused.stdout, refused.stderr].concat()).unwrap();
    assert!(!refused.status.success() && text.contains("a dump cannot be rolled forward"), "{text}");
    lab.completed(&["backup-postgres-base", "--set", "asset=database-log"]);
    let (window, _) = lab.json(&["window", "database-log"]);
    assert_eq!(window["spans"].as_array().map(Vec::len), Some(1), "with a base there is a window: {window:#}");
    assert!(window["log_without_base"].is_null(), "{window:#}");
}

/// Naive: the newest dump of the day is loaded, and the log is told to go on from there.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_a_damaged_cluster_comes_back_to_an_instant_after_its_base_backup() {
    let lab = Deploy::build().await;
    lab.completed(&["backup-postgres-base", "--set", "asset=database-log"]);
    lab.cluster.sql(DATABASE, "INSERT INTO detectors (name, threshold) VALUES ('made after the base backup', 0.5)");
    let good = lab.content(DATABASE);
    let at = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00:00'";
    let target = format!("target={}", lab.cluster.sql("postgres", at));
    // In the moment after it, the table is truncated.
    lab.cluster.sql(DATABASE, "TRUNCATE anomalies");
    lab.archived();
    let text = lab.completed(&["recover-postgres", "--set", "asset=database-log", "--set", &target]);
    assert!(text.contains("2 tables, 5051 rows"), "both can be looked into before the exchange: {text}");
    assert_eq!(lab.content(DATABASE), good);
    assert_eq!(lab.catalogued(), lab.listed());
}

/// Naive: the look at what was recovered waits for ever for a table that a transaction of then had locked.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_a_table_that_was_locked_at_the_target_is_named_and_comes_back() {
    let lab = Deploy::build().await;
    lab.completed(&["backup-postgres-base", "--set", "asset=database-log"]);
    let mut open = lab.cluster.program("psql");
    open.args(["-d", DATABASE, "-c", "BEGIN; TRUNCATE anomalies; SELECT pg_sleep(600)"]);
    let mut open = open.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let locked =
        "SELECT count(*) FROM pg_locks WHERE relation = 'anomalies'::regclass AND mode = 'AccessExclusiveLock'";
    while lab.cluster.sql(DATABASE, locked) == "0" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    lab.cluster.sql(DATABASE, "INSERT INTO detectors (name, threshold) VALUES ('made meanwhile', 0.5)");
    let at = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00:00'";
    let target = format!("target={}", lab.cluster.sql("postgres", at));
    lab.cluster.sql(DATABASE, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()");
    open.wait().unwrap();
    let good = lab.content(DATABASE);
    lab.cluster.sql(DATABASE, "DELETE FROM anomalies");
    lab.archived();
    let text = lab.completed(&["recover-postgres", "--set", "asset=database-log", "--set", &target]);
    assert!(text.contains("public.anomalies is locked by a transaction that was open at the target"), "{text}");
    assert_eq!(lab.content(DATABASE), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_a_damaged_database_comes_back_row_by_row() {
    let lab = Deploy::build().await;
    let good = lab.content(DATABASE);
    lab.prove("database");
    lab.cluster.sql(DATABASE, "DELETE FROM anomalies WHERE id % 2 = 0; UPDATE detectors SET threshold = 0");
    lab.completed(&["restore-postgres", "--set", "asset=database"]);
    assert_eq!(lab.content(DATABASE), good);
}

/// Naive: the archive of all configuration is unpacked over the root, and takes back what was changed on purpose.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_one_folder_of_configuration_comes_back_and_the_others_stay() {
    let lab = Deploy::build().await;
    // What the scripts make and what Relight makes are restored alike.
    lab.completed(&["backup-files", "--set", "asset=configuration", "--set", "least_percent=0"]);
    assert_eq!(lab.catalogued(), lab.listed());
    let live = lab.path("etc/pynomaly");
    let good = tree(&live);
    std::fs::write(live.join("settings.toml"), "workers = 0\n").unwrap();
    std::fs::write(lab.path("etc/grafana/grafana.ini"), "[server]\nchanged = on purpose\n").unwrap();
    let refused = lab.relight(&["plan", "restore-files", "--set", "asset=configuration"]);
    let text = String::from_utf8([refused.stdout, refused.stderr].concat()).unwrap();
    assert!(!refused.status.success() && text.contains("hold 6 folders"), "{text}");
    let outside = format!("tree={}", lab.path("etc/pynomaly-old").display());
    let refused = lab.relight(&["plan", "restore-files", "--set", "asset=configuration", "--set", &outside]);
    let text = String::from_utf8([refused.stdout, refused.stderr].concat()).unwrap();
    assert!(!refused.status.success() && text.contains("does not live in"), "{text}");
    let wanted = format!("tree={}", lab.path(TREES[0]).display());
    lab.completed(&["restore-files", "--set", "asset=configuration", "--set", &wanted]);
    assert_eq!(tree(&live), good);
    let night = stamp(lab.nights[1] + chrono::Duration::seconds(38)).replace('_', "T");
    let (scripts, wanted) =
        (format!("backup=configuration-archive-{night}Z"), format!("tree={}", lab.path(TREES[2]).display()));
    let (live, good) = (lab.path(TREES[2]), tree(&lab.path(TREES[2])));
    std::fs::remove_dir_all(&live).unwrap();
    lab.completed(&["restore-files", "--set", "asset=configuration", "--set", &wanted, "--set", &scripts]);
    assert_eq!(tree(&live), good);
    std::fs::remove_dir_all(lab.path("etc/prometheus")).unwrap();
    let refused = lab.relight(&["plan", "backup-files", "--set", "asset=configuration"]);
    let text = String::from_utf8([refused.stdout, refused.stderr].concat()).unwrap();
    assert!(!refused.status.success() && text.contains("etc/prometheus is not there"), "{text}");
    assert!(std::fs::read_to_string(lab.path("etc/grafana/grafana.ini")).unwrap().contains("on purpose"));
    assert_eq!(std::fs::read_to_string(lab.path("etc/pynomaly-old/settings.toml")).unwrap(), "workers = 1\n");
}
