//! The service that cron backs up, observed, damaged and restored.

use crate::home::{tree, walk};
use crate::ops::{DATABASE, Ops};
use serde_json::Value;

/// The findings of an asset, by their rule.
fn findings(health: &Value, asset: &str) -> Vec<(String, String)> {
    let of_asset = health["assets"].as_array().unwrap().iter().find(|found| found["id"] == asset).unwrap();
    let findings = of_asset["findings"].as_array().unwrap().iter();
    findings.map(|finding| (finding["rule"].as_str().unwrap().to_owned(), finding.to_string())).collect()
}

fn has(health: &Value, asset: &str, rule: &str, words: &str) -> bool {
    findings(health, asset).iter().any(|(found, text)| found == rule && text.contains(words))
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_catalog_health_and_schedules_agree_with_what_is_there() {
    let lab = Ops::build().await;
    assert_eq!(lab.catalogued(), lab.listed());
    let (window, code) = lab.json(&["window", "database"]);
    assert_eq!((window["points"].as_array().unwrap().len(), code), (2, Some(0)), "{window}");
    for asset in ["database", "cache", "configuration"] {
        lab.prove(asset);
    }
    let (health, code) = lab.json(&["health"]);
    assert_eq!(code, Some(2), "{health:#}");
    // The catalog's name of a dump is not the file's: told, and no failure.
    assert!(has(&health, "database", "sidecar-disagrees", "label mismatch"), "{health:#}");
    assert!(has(&health, "cache", "missed-run", "did not arrive in store host"), "{health:#}");
    assert!(!has(&health, "configuration", "missed-run", ""), "{health:#}");
    let (schedules, code) = lab.json(&["schedules"]);
    let state = |job: &str| {
        schedules["jobs"].as_array().unwrap().iter().find(|seen| seen["job"] == job).unwrap()["state"].clone()
    };
    assert_eq!(
        (state("redis"), state("configurations"), code),
        ("missing".into(), "on".into(), Some(2)),
        "{schedules:#}"
    );
    let (catalog, _) = lab.json(&["catalog"]);
    let changes =
        catalog["backups"].as_array().unwrap().iter().filter(|backup| backup["asset"] == "application-changes");
    assert_eq!(changes.count(), 1, "the second night replaced one file: {catalog:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_damaged_database_redis_and_configuration_come_back() {
    let lab = Ops::build().await;
    let (rows, config) = (lab.content(DATABASE), tree(&lab.path("opt/config")));
    for asset in ["database", "cache", "configuration"] {
        lab.prove(asset);
    }
    lab.cluster.sql(DATABASE, "DELETE FROM predictions WHERE id % 3 = 0; UPDATE models SET name = 'lost ' || id");
    lab.completed(&["restore-postgres", "--set", "asset=database"]);
    assert_eq!(lab.content(DATABASE), rows);
    lab.cli(&["FLUSHALL"]);
    lab.completed(&["restore-redis", "--set", "asset=cache"]);
    assert_eq!((lab.cli(&["DBSIZE"]), lab.cli(&["GET", "score:77"])), ("200".to_owned(), "77".to_owned()));
    std::fs::write(lab.path("opt/config/app.yml"), "workers: 0\n").unwrap();
    std::fs::remove_file(lab.path("opt/config/secrets/token")).unwrap();
    lab.completed(&["restore-files", "--set", "asset=configuration", "--set", "strip=1"]);
    assert_eq!(tree(&lab.path("opt/config")), config);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(lab.path("opt/config/secrets/token")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o640, "as it was recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_application_data_comes_back_from_the_mirror_and_from_the_root_of_its_bucket() {
    let lab = Ops::build().await;
    let live = lab.path("opt/data");
    for (store, mirror) in [("host", lab.path("backups/application/current")), ("data-bucket", lab.data_bucket())] {
        let good = tree(&mirror);
        for file in walk(&live) {
            std::fs::write(file, "encrypted by someone else").unwrap();
        }
        let (catalog, _) = lab.json(&["catalog"]);
        let here = |backup: &&Value| backup["asset"] == "application" && backup["copies"][0]["store"] == store;
        let backup = catalog["backups"].as_array().unwrap().iter().find(here).unwrap()["id"].clone();
        let chosen = format!("backup={}", backup.as_str().unwrap());
        // The mirrors have no manifest: that is said, and stays in the record.
        let mut line = lab.open(&["restore-files", "--set", "asset=application", "--set", &chosen]);
        line.until("Start this plan?");
        line.say("yes");
        let asked = line.asked().expect("the proof asks");
        assert!(asked.text.contains("is proven only to L1"), "{}", line.text);
        line.say("skip the mirror has no manifest; its files are compared before the swap");
        let (text, code) = line.finish();
        assert!(code == Some(1) && text.contains("the mirror has no manifest"), "{text}");
        assert_eq!(tree(&live), good, "{store}");
    }
}

/// Naive: application data is synchronised from a prefix that no job writes. That succeeds, and the application starts on
/// an empty folder.
#[tokio::test(flavor = "multi_thread")]
async fn ops_a_prefix_that_no_job_writes_is_red_and_nothing_is_restored_from_it() {
    let lab = Ops::build().await;
    let live = tree(&lab.path("opt/data"));
    let text = std::fs::read_to_string(lab.config()).unwrap();
    let (host, root) = ("match = \"application/current/\"", "store = \"data-bucket\"\n  match = \"/\"");
    assert!(text.contains(host) && text.contains(root));
    let nowhere = "store = \"bucket\"\n  match = \"application/{time:%Y%m%d}/\"";
    let text = text.replace(host, "match = \"application/nightly/{time:%Y%m%d}/\"").replace(root, nowhere);
    std::fs::write(lab.config(), text).unwrap();
    let (health, code) = lab.json(&["health"]);
    assert_eq!(code, Some(2));
    assert!(has(&health, "application", "no-backup", ""), "{health:#}");
    let refused = lab.relight(&["plan", "restore-files", "--set", "asset=application", "--set", "backup=latest"]);
    let text = String::from_utf8([refused.stdout, refused.stderr].concat()).unwrap();
    assert!(!refused.status.success() && text.contains("has no backup that can be restored"), "{text}");
    assert_eq!(tree(&lab.path("opt/data")), live);
}
