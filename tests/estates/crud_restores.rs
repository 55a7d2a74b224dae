//! Real damage, then the shared restore runbooks, and the content compared.

use crate::crud_app::{CrudApp, DATABASE};
use crate::home::walk;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupted_database_comes_back_row_by_row() {
    let lab = CrudApp::build().await;
    let good = lab.content(DATABASE);
    lab.prove("database");
    lab.cluster
        .sql(DATABASE, "UPDATE users SET name = 'garbage' WHERE id % 3 = 0; DELETE FROM audit_logs WHERE id % 2 = 0");
    let damaged = lab.content(DATABASE);
    lab.completed(&["restore-postgres", "--set", "asset=database"]);
    assert_eq!(lab.content(DATABASE), good);
    let kept = lab
        .cluster
        .sql("postgres", &format!("SELECT datname FROM pg_database WHERE datname LIKE '{DATABASE}_before_%'"));
    assert_eq!(lab.content(&kept), damaged, "the corrupted state is kept for whoever must look at it");
}

/// Every file, link and folder below, with its bytes and mode.
fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    use std::os::unix::fs::MetadataExt as _;
    let content = |file: &Path| {
        let meta = std::fs::symlink_metadata(file).unwrap();
        let bytes = if meta.is_symlink() {
            std::fs::read_link(file).unwrap().to_str().unwrap().as_bytes().to_vec()
        } else {
            std::fs::read(file).unwrap()
        };
        (meta.mode(), bytes)
    };
    walk(root).into_iter().map(|file| (file.strip_prefix(root).unwrap().to_owned(), content(&file))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_configuration_comes_back_byte_by_byte() {
    let lab = CrudApp::build().await;
    let etc = lab.path("etc/crud-app");
    let good = tree(&etc);
    lab.prove("configuration");
    std::fs::write(etc.join("application.yml"), "server:\n  port: 1\n").unwrap();
    std::fs::remove_file(etc.join("tls/keystore.p12")).unwrap();
    lab.completed(&["restore-files", "--set", "asset=configuration"]);
    assert_eq!(tree(&etc), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_comes_back() {
    let lab = CrudApp::build().await;
    let good = lab.content(DATABASE);
    lab.prove("database");
    lab.cluster.sql("postgres", &format!("DROP DATABASE {DATABASE}"));
    let mut line = lab.open(&["restore-postgres", "--set", "asset=database"]);
    line.until("Start this plan?");
    line.say("yes");
    line.go_on_to("Dump the live database as it is").expect("the safety dump asks");
    line.say("skip the database is lost");
    let (text, code) = line.finish();
    assert_eq!(code, Some(1), "an exception, and named: {text}");
    assert!(text.contains("the database is lost"), "{text}");
    assert_eq!(lab.content(DATABASE), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_can_be_drilled_without_touching_the_live_database() {
    let lab = CrudApp::build().await;
    lab.prove("database");
    let (live, databases) =
        (lab.content(DATABASE), "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database");
    let before = lab.cluster.sql("postgres", databases);
    lab.completed(&["restore-postgres", "--set", "asset=database", "--mode", "drill"]);
    assert_eq!((lab.content(DATABASE), lab.cluster.sql("postgres", databases)), (live, before));
}
