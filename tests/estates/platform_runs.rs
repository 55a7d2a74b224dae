//! The workflow platform observed, backed up, damaged, lost, and brought back out of its buckets.

use crate::home::rules;
use crate::physical::Physical;
use crate::platform::{DATABASE, Platform};
use std::path::PathBuf;

/// The server's clock, as an operator may write it.
fn clock(cluster: &Physical) -> String {
    cluster
        .sql("postgres", "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00:00'")
}

/// Naive: Redis 7 has its log of changes in a folder; a script that looks for one file skips it, and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn platform_catalog_window_and_health_agree_with_a_walk_over_the_buckets() {
    let lab = Platform::build().await;
    assert_eq!(lab.catalogued(), lab.listed());
    let (window, code) = lab.json(&["window", "database"]);
    assert_eq!((window["spans"].as_array().unwrap().len(), code), (1, Some(0)), "{window:#}");
    for asset in ["cache", "kubernetes", "helm", "argocd"] {
        lab.prove(asset);
    }
    let log = lab.relight(&["verify", "latest", "--asset", "cache-log", "--level", "L3"]);
    assert!(log.status.success(), "{}", String::from_utf8_lossy(&log.stdout));
    for night in &lab.nights {
        let full = lab.relight(&["verify", &format!("database-full-{}", night.format("%Y%m%d"))]);
        let text = String::from_utf8_lossy(&full.stdout).into_owned();
        assert!(full.status.success() && text.contains("to L4"), "{text}");
        // Its last segment is unfinished, as a receiver leaves it: that is no damage.
        let part =
            lab.relight(&["verify", &format!("database-incremental-{}", night.format("%Y%m%d")), "--level", "L3"]);
        assert!(part.status.success(), "{}", String::from_utf8_lossy(&part.stdout));
    }
    let (health, _) = lab.json(&["health"]);
    assert_eq!(rules(&health, "kubernetes"), [""; 0], "{health:#}");
    let found = rules(&health, "cache-log");
    assert!(found.iter().any(|rule| rule.contains("old") || rule.contains("missed")), "{health:#}");
    let shown = lab.relight(&["show", &format!("database-full-{}", lab.nights[1].format("%Y%m%d"))]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("metadata.json") && text.contains("backup_manifest"), "{text}");
}

/// Naive: a logical restore is tried on a physical backup, its failure is swallowed, and a count of tables saves the
/// verdict; an archive of the full that is missing is not missed.
#[tokio::test(flavor = "multi_thread")]
async fn platform_a_full_is_judged_by_its_manifest_and_counts_with_all_of_its_members() {
    let lab = Platform::bare().await;
    lab.completed(&["backup-postgres-base", "--set", "asset=database"]);
    assert_eq!(lab.catalogued(), lab.listed());
    let (_, path) = lab.listed().into_iter().next().unwrap();
    let folder: PathBuf = lab.bucket("db-backups").join(path);
    let base = folder.join("base.tar.gz");
    let good = std::fs::read(&base).unwrap();
    lab.prove("database");
    // Another cluster's archive, in itself without fault.
    let mut other = lab.cluster.program("pg_basebackup");
    let to = lab.path("pg/other");
    assert!(other.args(["-F", "tar", "-z", "-c", "fast", "-X", "stream", "-D"]).arg(&to).status().unwrap().success());
    std::fs::copy(to.join("base.tar.gz"), &base).unwrap();
    let judged = lab.relight(&["verify", "latest", "--asset", "database"]);
    let text = String::from_utf8_lossy(&judged.stdout).into_owned();
    assert_eq!(judged.status.code(), Some(2), "{text}");
    std::fs::write(&base, good).unwrap();
    lab.prove("database");
    std::fs::remove_file(folder.join("pg_wal.tar.gz")).unwrap();
    let (catalog, _) = lab.json(&["catalog"]);
    assert_eq!(catalog["backups"][0]["complete"], false, "{catalog:#}");
    let refused = lab.relight(&["plan", "recover-postgres", "--set", "asset=database", "--set", "target=latest"]);
    let text = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    assert!(!refused.status.success() && text.contains("pg_wal.tar.gz"), "{text}");
}

/// Naive: the target `latest` is written as a time, and the server does not start, with production stopped and moved away.
#[tokio::test(flavor = "multi_thread")]
async fn platform_a_damaged_and_then_a_lost_database_come_back_out_of_the_bucket_alone() {
    let lab = Platform::build().await;
    lab.work(30);
    let good = lab.content();
    let at = format!("target={}", clock(&lab.cluster));
    lab.cluster.sql(DATABASE, "UPDATE runs SET log = 'lost' WHERE id % 2 = 0; DELETE FROM runs WHERE id % 3 = 0");
    lab.cluster.switch(&lab.wal());
    lab.completed(&["recover-postgres", "--set", "asset=database", "--set", &at]);
    assert_eq!(lab.content(), good);
    // The new timeline gets a start of its own; then the host is lost with everything on it.
    let text = lab.completed(&["backup-postgres-base", "--set", "asset=database"]);
    assert!(text.contains("on timeline 2"), "{text}");
    assert_eq!(lab.catalogued(), lab.listed());
    lab.work(40);
    let good = lab.content();
    lab.cluster.switch(&lab.wal());
    lab.cluster.ctl(&["stop", "-m", "immediate", "-s"]);
    std::fs::remove_dir_all(&lab.cluster.data).unwrap();
    lab.completed(&["recover-postgres", "--set", "asset=database", "--set", "target=latest"]);
    assert_eq!(lab.content(), good);
}

/// Naive: with `appendonly yes`, a server that is started on a snapshot comes up empty.
#[tokio::test(flavor = "multi_thread")]
async fn platform_redis_comes_back_with_its_log_of_changes_on() {
    let lab = Platform::bare().await;
    lab.nightly_redis(lab.nights[1]);
    lab.prove("cache");
    lab.cli(&["FLUSHALL"]);
    lab.cli(&["SET", "wrong", "written after the loss"]);
    lab.completed(&["restore-redis", "--set", "asset=cache"]);
    let holds = || (lab.cli(&["DBSIZE"]), lab.cli(&["GET", "job:77"]), lab.cli(&["CONFIG", "GET", "appendonly"]));
    let wanted = ("400".to_owned(), "queued 77".to_owned(), "appendonly\nyes".to_owned());
    assert_eq!(holds(), wanted);
    assert!(lab.path("redis-data/appendonlydir").is_dir());
    // What it wrote itself is enough for its next start.
    let stopped = std::process::Command::new(lab.path("stop.sh")).status().unwrap();
    assert!(stopped.success());
    lab.restart_redis();
    assert_eq!(holds(), wanted);
}
