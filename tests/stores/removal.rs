//! What a removal promises where servers and folders do what they can do: replace, lock, ignore, break off.

use crate::names;
use crate::proxy::{Fault, Proxy};
use crate::s3::{S3Fixture, TestSecrets, config_at, unsigned_at};
use chrono::Duration;
use relight::model::time::{Clock as _, Timestamp};
use relight::stores::local::LocalStore;
use relight::stores::{Patience, Pin, PruningStore, Removed, Store as _, StoreErrorKind, open_to_prune};
use relight::wiring::SystemClock;
use std::sync::Arc;

const PATIENCE: Patience = Patience {
    connect: std::time::Duration::from_secs(2),
    attempt: std::time::Duration::from_millis(500),
    call: std::time::Duration::from_secs(5),
    idle: std::time::Duration::from_millis(500),
    attempts: 4,
    pause: std::time::Duration::from_millis(5),
    at_once: 16,
};

fn now() -> Timestamp {
    SystemClock.now()
}

struct Rig {
    fixture: S3Fixture,
    proxy: Proxy,
    store: Arc<dyn PruningStore>,
    pin: Pin,
}

async fn rig() -> Rig {
    let fixture = S3Fixture::start().await;
    fixture.put("dump", b"0123456789");
    let proxy = Proxy::start(fixture.server.address()).await;
    let store = open_to_prune(&config_at(&proxy.endpoint(), "s3", ""), &TestSecrets, PATIENCE).await.unwrap();
    let pin = store.head("dump").await.unwrap().pin();
    Rig { fixture, proxy, store, pin }
}

fn headers(pin: &Pin, more: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let mut headers =
        vec![("etag", format!("\"{}\"", pin.etag.as_ref().unwrap())), ("content-length", "10".to_owned())];
    headers.extend(more.iter().cloned());
    headers
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_replaced_after_the_look_is_left_to_the_server_to_refuse() {
    let Rig { fixture, proxy, store, pin } = rig().await;
    fixture.put("dump", b"9876543210");
    // The look still shows the old one; only the condition on the request itself can tell.
    proxy.always("HEAD", "/dump", Fault::Answer(200, headers(&pin, &[]), String::new()));
    let error = store.remove("dump", &pin, now()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Changed, "{error}");
    assert_eq!(std::fs::read(fixture.file("dump")).unwrap(), b"9876543210");
    proxy.reset();
    assert_eq!(names(&*store, "", None).await, ["dump"], "and nothing is left of the test of the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_conditions_is_asked_for_no_removal() {
    let Rig { fixture, proxy, store, pin } = rig().await;
    proxy.always("DELETE", ".relight-probe-", Fault::Answer(204, vec![], String::new()));
    let error = store.remove("dump", &pin, now()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("no notice of conditions"), "{error}");
    let deletes = proxy.seen().into_iter().filter(|line| line.starts_with("DELETE") && line.contains("/dump")).count();
    assert_eq!((deletes, fixture.file("dump").exists()), (0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lock_keeps_is_refused_with_its_date() {
    let Rig { fixture, proxy, store, pin } = rig().await;
    let until = now() + Duration::days(30);
    let lock = [
        ("x-amz-object-lock-mode", "COMPLIANCE".to_owned()),
        ("x-amz-object-lock-retain-until-date", until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)),
    ];
    proxy.always("HEAD", "/dump", Fault::Answer(200, headers(&pin, &lock), String::new()));
    let error = store.remove("dump", &pin, now()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Locked, "{error}");
    let date = until.format("%Y-%m-%d %H:%M UTC").to_string();
    assert!(error.to_string().contains("COMPLIANCE") && error.to_string().contains(&date), "{error}");
    assert!(proxy.seen().iter().all(|line| !line.starts_with("DELETE")), "{:?}", proxy.seen());
    // By this clock it is over, by the server's it is not.
    proxy.next("DELETE", "/dump", 1, Fault::denied());
    let error = store.remove("dump", &pin, until + Duration::days(1)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Locked, "{error}");
    proxy.reset();
    let hold = [("x-amz-object-lock-legal-hold", "ON".to_owned())];
    proxy.always("HEAD", "/dump", Fault::Answer(200, headers(&pin, &hold), String::new()));
    let error = store.remove("dump", &pin, now()).await.unwrap_err();
    assert!(error.kind == StoreErrorKind::Locked && error.to_string().contains("legal hold"), "{error}");
    assert!(fixture.file("dump").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_marker_is_told() {
    let Rig { proxy, store, pin, fixture: _fixture } = rig().await;
    let marker = vec![("x-amz-delete-marker", "true".to_owned()), ("x-amz-version-id", "v7".to_owned())];
    proxy.always("DELETE", "/dump", Fault::Answer(204, marker, String::new()));
    let removed = store.remove("dump", &pin, now()).await.unwrap();
    assert_eq!(removed, Removed::Hidden { marker: "v7".to_owned() });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_asked_again_and_a_broken_answer_is_no_second_removal() {
    let Rig { fixture, proxy, store, pin } = rig().await;
    proxy.next("DELETE", "/dump", 2, Fault::slow_down());
    assert_eq!(store.remove("dump", &pin, now()).await.unwrap(), Removed::Gone);
    fixture.put("dump", b"a new one");
    let error = store.remove("dump", &pin, now()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Changed, "the pin is of the first");
    let open = open_to_prune(&unsigned_at(&proxy.endpoint(), "s3", ""), &TestSecrets, PATIENCE).await;
    assert_eq!(open.unwrap_err().kind, StoreErrorKind::Denied, "nobody removes without a name");
}

#[tokio::test]
async fn links_and_folders_are_no_files() {
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let inside = |name: &str| root.path().join(name);
    std::fs::write(outside.path().join("precious"), b"x").unwrap();
    std::fs::create_dir(inside("real")).unwrap();
    std::fs::write(inside("real/dump"), b"x").unwrap();
    std::os::unix::fs::symlink(outside.path(), inside("out")).unwrap();
    std::os::unix::fs::symlink("real", inside("alias")).unwrap();
    std::os::unix::fs::symlink("real/dump", inside("latest")).unwrap();
    let store = LocalStore::new("folder", root.path());
    let pin = store.head("real/dump").await.unwrap().pin();
    for name in ["out/precious", "alias/dump", "latest", "real"] {
        let error = store.remove(name, &pin, now()).await.unwrap_err();
        println!("{name}: {error}");
    }
    assert!(outside.path().join("precious").exists() && inside("real/dump").exists());
    assert!(inside("latest").symlink_metadata().is_ok());
}

#[tokio::test]
async fn a_removal_that_died_half_way_is_reported_and_finished_by_the_next() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("dump"), b"0123456789").unwrap();
    let store = LocalStore::new("folder", root.path());
    let pin = store.head("dump").await.unwrap().pin();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(format!("dump\0{}\0{}", pin.size, pin.mark()));
    let aside = format!(".relight-removing-{}", &hex::encode(digest)[..24]);
    std::fs::rename(root.path().join("dump"), root.path().join(&aside)).unwrap();
    let (objects, skipped) = crate::listed(&store, "", None).await.unwrap();
    assert_eq!(objects, []);
    assert_eq!(skipped, [(aside.clone(), "a removal that was not finished".to_owned())]);
    assert_eq!(store.remove("dump", &pin, now()).await.unwrap(), Removed::Gone);
    assert!(!root.path().join(aside).exists());
}
