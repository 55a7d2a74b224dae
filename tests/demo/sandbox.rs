//! The sandbox as a whole: every planted problem is found by its rule, a clean one has none, nothing stays.

use relight::catalog::ScanStatus;
use relight::demo::assets;
use relight::demo::{DemoError, Sandbox, Wishes};
use relight::health::{HealthReport, Severity};
use relight::model::proof::ProofOutcome;
use relight::model::time::Clock;
use relight::session::{Scanned, scan_once};
use relight::wiring::{self, SystemClock};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn build(clean: bool) -> Sandbox {
    let wishes = Wishes { dir: None, clean };
    let begun = std::time::Instant::now();
    let made = Sandbox::build(wishes, SystemClock.now(), Arc::new(|_: &str| ()), Arc::default()).await;
    eprintln!("sandbox in {:?}", begun.elapsed());
    made.expect("a sandbox")
}

pub async fn scan(sandbox: &Sandbox) -> Scanned {
    let setup = wiring::setup(Some(&sandbox.config()), Some(&sandbox.state_dir())).await.unwrap();
    scan_once(&setup.parts(), &|_, _| ()).await
}

pub fn findings(health: &HealthReport) -> String {
    let lines = health.assets.iter().flat_map(|asset| {
        asset
            .findings
            .iter()
            .map(|f| format!("{} {} {}: {} {:?}\n", asset.id, f.severity, f.rule, f.message, f.evidence))
    });
    lines.collect()
}

pub fn postmaster(root: &Path) -> i32 {
    let text = std::fs::read_to_string(root.join("postgres/data/postmaster.pid")).expect("a database server");
    text.lines().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_planted_problem_is_found_and_nothing_stays() {
    let sandbox = build(false).await;
    assert!(sandbox.has_database(), "{:?}", sandbox.lacks());
    assert_eq!(sandbox.lacks(), [] as [String; 0]);
    let scanned = scan(&sandbox).await;
    assert_eq!(scanned.problems, [] as [String; 0]);
    assert!(scanned.catalog.stores.iter().all(|store| store.status == ScanStatus::Ok), "{:#?}", scanned.catalog.stores);
    assert_eq!(scanned.catalog.unrecognised.count, 0, "{:?}", scanned.catalog.unrecognised.samples);
    let found = findings(&scanned.health);
    for asset in assets::ALL {
        let judged = scanned.health.assets.iter().find(|a| a.id.as_str() == asset.id).expect(asset.id);
        match asset.trouble {
            Some(rule) => {
                assert!(judged.findings.iter().any(|f| f.rule == rule), "{} without {rule}:\n{found}", asset.id);
            }
            None => assert_eq!(judged.verdict, Severity::Ok, "{}:\n{found}", asset.id),
        }
    }
    assert_eq!(scanned.health.verdict, Severity::Critical);
    let failed: Vec<_> = scanned.proofs.iter().filter(|proof| proof.outcome == ProofOutcome::Failed).collect();
    assert!(failed.iter().any(|proof| proof.path.starts_with("uploads/")), "{failed:#?}");

    let (root, server) = (sandbox.folder().to_owned(), postmaster(sandbox.folder()));
    tokio::task::spawn_blocking(move || drop(sandbox)).await.unwrap();
    assert!(!root.exists(), "the folder stayed");
    assert!(!Path::new(&format!("/proc/{server}")).exists(), "the server stayed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_estate_is_healthy() {
    let sandbox = build(true).await;
    let scanned = scan(&sandbox).await;
    assert_eq!(scanned.health.verdict, Severity::Ok, "{}", findings(&scanned.health));
    tokio::task::spawn_blocking(move || drop(sandbox)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_beginning_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("kept");
    let stop = Arc::new(AtomicBool::new(true));
    stop.store(true, Ordering::Relaxed);
    let wishes = Wishes { dir: Some(inside.clone()), clean: false };
    let made = Sandbox::build(wishes, SystemClock.now(), Arc::new(|_: &str| ()), stop).await;
    assert!(matches!(made, Err(DemoError::Interrupted)), "{made:?}");
    let running = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(Result::ok)
        .any(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&inside)));
    assert!(!running, "a process still works in the folder");
    // A folder that was asked for by name stays, and is refused the second time: its sandbox is not whole.
    let wishes = Wishes { dir: Some(inside), clean: false };
    let again = Sandbox::build(wishes, SystemClock.now(), Arc::new(|_: &str| ()), Arc::default()).await;
    assert!(matches!(again, Err(DemoError::Io { .. })), "{again:?}");
}
