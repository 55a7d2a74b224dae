//! What goes wrong with the system's own scripts, and cannot here.

use crate::crud_app::{CrudApp, DATABASE, USERS};
use crate::home::{stamp, walk};

/// The system's own way restores from inside the live application without a question. Here the live database is
/// exchanged only after a phrase that names it, and whatever else is typed leaves it as it is.
#[tokio::test(flavor = "multi_thread")]
async fn no_restore_replaces_a_live_database_without_the_phrase_of_its_target() {
    let lab = CrudApp::build().await;
    lab.prove("database");
    lab.cluster.sql(DATABASE, "UPDATE users SET name = 'newer' WHERE id = 1");
    let live = lab.content(DATABASE);
    let oid = lab.cluster.sql("postgres", &format!("SELECT oid FROM pg_database WHERE datname = '{DATABASE}'"));

    let refused = lab.relight(&["run", "restore-postgres", "--set", "asset=database", "--no-confirm"]);
    assert_eq!(refused.status.code(), Some(64), "there is no such switch");

    let mut line = lab.open(&["restore-postgres", "--set", "asset=database"]);
    line.until("Start this plan?");
    line.say("yes");
    let asked = line.go_on_to("Swap").expect("the swap asks");
    assert!(asked.phrase.as_deref().is_some_and(|phrase| phrase.contains(DATABASE)), "{}", asked.text);
    line.say("yes");
    line.until("refused: the phrase does not match; nothing was started");
    line.say("abort not the right night");
    let (_, code) = line.finish();
    assert_eq!(code, Some(2));
    assert_eq!(lab.content(DATABASE), live);
    let now = lab.cluster.sql("postgres", &format!("SELECT oid FROM pg_database WHERE datname = '{DATABASE}'"));
    assert_eq!(now, oid, "the very same database");
}

/// After a corruption `latest` is the newest bad backup. Here it is a pointer: what is restored is a dated one.
#[tokio::test(flavor = "multi_thread")]
async fn the_moving_name_latest_is_never_what_is_restored() {
    let lab = CrudApp::build().await;
    let newest = lab.path(&format!("var/backups/postgres/{DATABASE}_latest.sql.gz"));
    let bytes = std::fs::read(&newest).unwrap();
    std::fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap();
    // The system's own choice is the file that was written last.
    let naive = walk(&lab.path("var/backups/postgres"))
        .into_iter()
        .max_by_key(|file| std::fs::metadata(file).unwrap().modified().unwrap());
    assert_eq!(naive.as_deref(), Some(newest.as_path()), "which is the damaged one");

    let verified = lab.relight(&["verify", "latest", "--asset", "database"]);
    assert!(verified.status.success(), "{verified:?} {:#}", lab.json(&["catalog"]).0);
    let (plan, code) = lab.json(&["plan", "restore-postgres", "--set", "asset=database"]);
    assert_eq!(code, Some(0), "{plan:#}");
    let text = plan.to_string();
    let night = stamp(*lab.nights.last().unwrap());
    assert!(text.contains(&format!("{DATABASE}_{night}.sql.gz")) && !text.contains("_latest.sql.gz"), "{plan:#}");
    assert!(lab.cluster.sql(DATABASE, "SELECT count(*) FROM users") == USERS.to_string());
}
