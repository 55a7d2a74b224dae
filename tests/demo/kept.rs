//! A sandbox in a folder of one's own, and a second demo in it.

use crate::sandbox::{findings, postmaster, scan};
use relight::catalog::ScanStatus;
use relight::demo::{Sandbox, Wishes, programs};
use relight::model::time::Clock;
use relight::wiring::SystemClock;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

async fn demo(dir: &Path) -> Result<Sandbox, String> {
    let wishes = Wishes { dir: Some(dir.to_owned()), clean: true };
    let made = Sandbox::build(wishes, SystemClock.now(), Arc::new(|_: &str| ()), Arc::default()).await;
    made.map_err(|error| error.to_string())
}

fn port(sandbox: &Sandbox) -> u16 {
    let text = std::fs::read_to_string(sandbox.config()).unwrap();
    text.lines().find_map(|line| line.strip_prefix("port = ")?.parse().ok()).expect("a server's port")
}

fn sql(sandbox: &Sandbox, text: &str) -> String {
    let output = Command::new(programs::postgresql().unwrap().join("psql"))
        .args([
            "-h",
            "127.0.0.1",
            "-p",
            &port(sandbox).to_string(),
            "-U",
            "relight",
            "-w",
            "-d",
            "orders",
            "-XAtqc",
            text,
        ])
        .env("PGPASSFILE", sandbox.folder().join("postgres/pgpass"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn is_whole(sandbox: &Sandbox) {
    assert_eq!(sandbox.lacks(), [] as [String; 0]);
    let scanned = scan(sandbox).await;
    assert!(scanned.catalog.stores.iter().all(|store| store.status == ScanStatus::Ok), "{:#?}", scanned.catalog.stores);
    assert!(scanned.health.assets.iter().all(|asset| asset.newest.is_some()), "{}", findings(&scanned.health));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_sandbox_is_taken_up_as_it_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    let sandbox = demo(&kept).await.unwrap();
    let refused = demo(&kept).await.unwrap_err();
    assert!(refused.contains("a demo runs in") && refused.contains("name another folder"), "{refused}");
    sql(&sandbox, "create table mine as select 42 as answer");
    let (old, server) = (port(&sandbox), postmaster(&kept));
    sandbox.end().await.unwrap();
    assert!(!Path::new(&format!("/proc/{server}")).exists(), "the server stayed");

    // Somebody else has the database's port now.
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, old)).unwrap();
    let sandbox = demo(&kept).await.unwrap();
    assert!(sandbox.is_kept() && sandbox.has_database() && port(&sandbox) != old);
    is_whole(&sandbox).await;
    assert_eq!(sql(&sandbox, "select answer from mine"), "42");
    sandbox.end().await.unwrap();
    assert!(kept.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("relight.toml"), "mine").unwrap();
    let refused = demo(dir.path()).await.unwrap_err();
    assert!(refused.contains("not empty") && refused.contains("name a new folder"), "{refused}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
