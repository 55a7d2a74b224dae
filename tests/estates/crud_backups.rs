//! The system backs itself up through the program: what is made is listed, whole, and proven.

use crate::crud_app::{CrudApp, DATABASE};
use crate::home::walk;
use std::collections::BTreeSet;

/// Runs a backup; the new files, and what was printed.
fn backed_up(lab: &CrudApp, arguments: &[&str]) -> (BTreeSet<(String, String)>, String) {
    let before = lab.listed();
    let text = lab.completed(arguments);
    assert_eq!(lab.catalogued(), lab.listed(), "{text}");
    (lab.listed().difference(&before).cloned().collect(), text)
}

/// The newest backup of an asset as the catalog shows it.
fn newest(lab: &CrudApp, asset: &str) -> serde_json::Value {
    let (catalog, _) = lab.json(&["catalog"]);
    let of_asset = catalog["backups"].as_array().unwrap().iter().filter(|backup| backup["asset"] == asset);
    of_asset.max_by_key(|backup| backup["taken_at"].as_str().unwrap().to_owned()).unwrap().clone()
}

fn proven(lab: &CrudApp, asset: &str, places: &BTreeSet<(String, String)>) {
    let backup = newest(lab, asset);
    assert_eq!(
        (&backup["proof"]["level"], &backup["proof"]["outcome"]),
        (&"L4".into(), &"passed".into()),
        "{backup:#}"
    );
    assert_eq!(backup["copies"].as_array().unwrap().len(), places.len(), "{backup:#}");
    let ledger = std::fs::read_to_string(lab.state().join("proofs.jsonl")).unwrap();
    for (_, path) in places {
        assert!(ledger.lines().any(|line| line.contains(path.as_str()) && line.contains("\"L4\"")), "{path}: {ledger}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_dumped_to_host_and_bucket_and_proven() {
    let lab = CrudApp::build().await;
    let (places, text) = backed_up(&lab, &["backup-postgres", "--set", "asset=database"]);
    let stores: Vec<&str> = places.iter().map(|(store, _)| store.as_str()).collect();
    assert_eq!(stores, ["bucket", "host"], "{text}");
    proven(&lab, "database", &places);
    // The name says gzipped SQL, and that is what the bytes are.
    let (_, host) = places.iter().find(|(store, _)| store == "host").unwrap();
    let file = lab.path("var/backups").join(host);
    let sql = std::process::Command::new("gzip").arg("-dc").arg(&file).output().unwrap();
    assert!(sql.status.success() && String::from_utf8_lossy(&sql.stdout).contains("COPY public.users"));
    let checked = std::process::Command::new("sha256sum")
        .current_dir(file.parent().unwrap())
        .args(["--check", "--strict"])
        .arg(format!("{}.sha256", file.display()))
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
    // Nothing of it stays in the run's folder.
    let left: Vec<_> =
        walk(&lab.state().join("runs")).into_iter().filter(|f| f.to_string_lossy().contains(DATABASE)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_packed_to_host_and_bucket_and_proven() {
    let lab = CrudApp::build().await;
    let (places, _) = backed_up(&lab, &["backup-files", "--set", "asset=configuration"]);
    assert_eq!(places.len(), 2);
    proven(&lab, "configuration", &places);
    let (_, host) = places.iter().find(|(store, _)| store == "host").unwrap();
    let listed =
        std::process::Command::new("tar").arg("-tzf").arg(lab.path("var/backups").join(host)).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for member in ["./application.yml", "./tls/keystore.p12", "./current.yml"] {
        assert!(listed.lines().any(|line| line == member), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_limit_is_packed_only_once_somebody_said_why() {
    let lab = CrudApp::build().await;
    let mut line = lab.open(&["backup-files", "--set", "asset=configuration", "--set", "max_files=2"]);
    line.until("Start this plan?");
    assert!(
        line.text.contains("archive touches at most 2 objects, 2.00 TB, counted before it starts"),
        "{}",
        line.text
    );
    line.say("yes");
    let asked = line.asked().expect("the limit asks");
    assert!(asked.text.contains("would touch more than its limit"), "{}", asked.text);
    assert!(asked.text.contains("raise AMOUNT REASON"), "{}", asked.text);
    line.say("raise 2 I counted them");
    line.until("is not an amount");
    line.say("raise 500objects it has grown since");
    let asked = line.asked().expect("the step asks for itself");
    assert!(asked.text.contains("its limit is 500 objects, 2.00 TB"), "{}", asked.text);
    line.say("yes");
    let (text, code) = line.finish();
    assert!(text.contains(": COMPLETED WITH EXCEPTIONS"), "{code:?} {text}");
    assert!(text.contains("limit raised from 2 objects") && text.contains("it has grown since"), "{text}");
    let report = String::from_utf8(lab.relight(&["report", "latest"]).stdout).unwrap();
    assert!(report.contains("may touch at most 2 objects, 2.00 TB, amended to 500 objects, 2.00 TB"), "{report}");
}

/// Goes on until a step has failed, and aborts there. Everything that was printed.
fn refused(lab: &CrudApp, arguments: &[&str], step: &str) -> String {
    let mut line = lab.open(arguments);
    line.until("Start this plan?");
    line.say("yes");
    line.asked().expect("the dump asks");
    line.say("yes");
    let asked = line.asked().expect("the failure asks");
    assert!(asked.text.contains(step), "{}", line.text);
    line.say("abort it is not to be published");
    let (text, code) = line.finish();
    assert_eq!(code, Some(2), "{text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_or_shrunken_database_is_not_published() {
    let lab = CrudApp::build().await;
    let before = lab.listed();
    lab.cluster.sql(DATABASE, "DELETE FROM audit_logs; DELETE FROM users WHERE id > 20");
    let asked = refused(&lab, &["backup-postgres", "--set", "asset=database"], "(step 2 of 4)");
    assert!(asked.contains("less than 50 % of it"), "{asked}");
    lab.cluster.sql(DATABASE, "DELETE FROM users");
    let asked =
        refused(&lab, &["backup-postgres", "--set", "asset=database", "--set", "least_percent=0"], "(step 1 of 4)");
    assert!(asked.contains("at least 1 and 1 are believable"), "{asked}");
    assert_eq!(lab.listed(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_someone_took_is_not_overwritten_and_the_retry_makes_the_rest() {
    let lab = CrudApp::build().await;
    let mut line = lab.open(&["backup-postgres", "--set", "asset=database"]);
    line.until("Start this plan?");
    let from = line.text.find("backups/crud_test_db_").expect("the plan names the object");
    let object = line.text[from..].split(' ').next().unwrap().to_owned();
    lab.s3.put(&object, b"someone else's");
    line.say("yes");
    line.asked().expect("the dump asks");
    line.say("yes");
    let asked = line.asked().expect("the failure asks");
    assert!(asked.text.contains("(step 2 of 4)") && line.text.contains("has another object"), "{}", line.text);
    assert_eq!(std::fs::read(lab.s3.file(&object)).unwrap(), b"someone else's");
    std::fs::remove_file(lab.s3.file(&object)).unwrap();
    line.say("retry");
    let (text, code) = line.finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    assert_eq!(newest(&lab, "database")["copies"].as_array().unwrap().len(), 2);
}
