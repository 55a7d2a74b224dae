//! Shared places: entries are created once, registers change hands by compare-and-swap, and a server that
//! only pretends is found out.

use crate::proxy::{Fault, Proxy};
use crate::s3::{S3Fixture, TestSecrets, config_at, unsigned_at};
use bytes::Bytes;
use relight::stores::local::{FolderPlace, LocalStore};
use relight::stores::place::{ProbeError, SharedPlace, probe};
use relight::stores::{Patience, StoreErrorKind, open_place};
use std::sync::Arc;

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn holds_the_contract(place: &dyn SharedPlace) {
    assert_eq!(place.register("leases/a").await.unwrap(), None);
    assert_eq!(place.list("runs/").await.unwrap(), [""; 0]);
    let first = place.swap("leases/a", None, bytes("one")).await.unwrap();
    let kind = |answer: Result<relight::stores::place::Tag, relight::stores::StoreError>| answer.unwrap_err().kind;
    assert_eq!(kind(place.swap("leases/a", None, bytes("two")).await), StoreErrorKind::Changed);
    assert_eq!(kind(place.swap("leases/gone", Some(&first), bytes("two")).await), StoreErrorKind::Changed);
    let mut tag = first.clone();
    for n in 0..12 {
        tag = place.swap("leases/a", Some(&tag), bytes(&format!("version {n}"))).await.unwrap();
        assert_eq!(kind(place.swap("leases/a", Some(&first), bytes("stale")).await), StoreErrorKind::Changed);
    }
    let now = place.register("leases/a").await.unwrap().unwrap();
    assert_eq!((now.bytes, now.tag), (bytes("version 11"), tag));
    place.swap("leases/b", None, bytes("x")).await.unwrap();
    assert_eq!(place.registers("leases/").await.unwrap(), ["leases/a", "leases/b"]);

    place.create("runs/r/journal/1", bytes("line")).await.unwrap();
    assert_eq!(place.create("runs/r/journal/1", bytes("other")).await.unwrap_err().kind, StoreErrorKind::AlreadyExists);
    place.create("runs/r/journal/2", bytes("line 2")).await.unwrap();
    assert_eq!(place.list("runs/r/").await.unwrap(), ["runs/r/journal/1", "runs/r/journal/2"]);
    assert_eq!(place.read("runs/r/journal/1").await.unwrap(), bytes("line"));
    assert_eq!(place.read("runs/r/journal/3").await.unwrap_err().kind, StoreErrorKind::NotFound);
    for _ in 0..2 {
        probe(place, "seat").await.unwrap();
    }
}

/// Many want one register at once: each round has one winner.
async fn one_of_many_wins(place: Arc<dyn SharedPlace>) {
    let mut tag = place.swap("leases/race", None, bytes("start")).await.unwrap();
    for round in 0..8 {
        let tries = (0..6).map(|n| {
            let (place, tag) = (Arc::clone(&place), tag.clone());
            async move { place.swap("leases/race", Some(&tag), bytes(&format!("{round} by {n}"))).await }
        });
        let mut won: Vec<_> = futures::future::join_all(tries).await.into_iter().filter_map(Result::ok).collect();
        assert_eq!(won.len(), 1, "round {round}");
        tag = won.remove(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_holds_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let place = FolderPlace::new(LocalStore::new("share", folder.path()));
    holds_the_contract(&place).await;
    one_of_many_wins(Arc::new(place)).await;
    let versions = std::fs::read_dir(folder.path().join("leases/a")).unwrap().count();
    assert!(versions <= 5, "old versions go: {versions}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_holds_the_contract() {
    let s3 = S3Fixture::start().await;
    let place = open_place(&s3.config("s3", "team/"), "relight/", &TestSecrets, Patience::default()).await.unwrap();
    holds_the_contract(&*place).await;
    assert!(s3.file("team/relight/leases/a").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_the_conditions_is_found_out() {
    for (header, word) in [("if-none-match", "created twice"), ("if-match", "changed meanwhile")] {
        let s3 = S3Fixture::open_to_all().await;
        let address = s3.server.endpoint().trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        let proxy = Proxy::start(address).await;
        proxy.always("PUT", "", Fault::Without(header));
        let config = unsigned_at(&proxy.endpoint(), "s3", "");
        let place = open_place(&config, "", &TestSecrets, Patience::default()).await.unwrap();
        let found = probe(&*place, "seat").await.unwrap_err();
        assert!(matches!(found, ProbeError::Broken { .. }) && found.to_string().contains(word), "{header}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_does_not_answer_is_not_trusted_and_not_accused() {
    let s3 = S3Fixture::start().await;
    let address = s3.server.endpoint().trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    let proxy = Proxy::start(address).await;
    proxy.always("PUT", "", Fault::denied());
    let config = config_at(&proxy.endpoint(), "s3", "");
    let place = open_place(&config, "", &TestSecrets, Patience::default()).await.unwrap();
    assert!(matches!(probe(&*place, "seat").await.unwrap_err(), ProbeError::Unknown { .. }));
}
