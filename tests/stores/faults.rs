//! Every kind of failure of an S3 server, through a proxy that makes them.

use crate::proxy::{Fault, Proxy};
use crate::s3::{BUCKET, S3Fixture, TestSecrets, WrongSecrets, config_at};
use crate::{body, drained, listed};
use relight::model::estate::{S3Credentials, StorePlace};
use relight::stores::{Opened, Patience, StoreErrorKind, open_with};
use std::time::Duration;

/// As patient as a test can be.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(2),
    attempt: Duration::from_millis(500),
    call: Duration::from_secs(5),
    idle: Duration::from_millis(500),
    attempts: 4,
    pause: Duration::from_millis(5),
    at_once: 16,
};

struct Rig {
    fixture: S3Fixture,
    proxy: Proxy,
    opened: Opened,
}

async fn rig() -> Rig {
    let fixture = S3Fixture::start().await;
    fixture.put("full/dump", &pattern());
    let proxy = Proxy::start(fixture.server.address()).await;
    let opened = open_with(&config_at(&proxy.endpoint(), "s3", ""), &TestSecrets, PATIENCE).await.unwrap();
    Rig { fixture, proxy, opened }
}

fn pattern() -> Vec<u8> {
    (0..400_000u32).map(|n| (n % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_kind_whatever_was_asked() {
    use StoreErrorKind as K;
    let Rig { proxy, opened, fixture: _fixture } = rig().await;
    let cases = [
        (Fault::denied(), K::Denied, 1),
        (Fault::expired(), K::ExpiredCredentials, 1),
        (Fault::skewed(), K::ClockSkew, 1),
        (Fault::Error(404, "NoSuchBucket"), K::NotFound, 1),
        (Fault::slow_down(), K::Throttled, 4),
        (Fault::Error(500, "InternalError"), K::Unreachable, 4),
        (Fault::Error(502, "BadGateway"), K::Unreachable, 4),
        (Fault::Error(501, "NotImplemented"), K::Unsupported, 1),
    ];
    for (fault, kind, attempts) in cases {
        println!("{fault:?}");
        proxy.reset();
        proxy.always("", "", fault);
        let errors = [
            listed(&*opened.read, "", None).await.unwrap_err(),
            opened.read.head("full/dump").await.unwrap_err(),
            opened.read.read_range("full/dump", 0..10, None).await.unwrap_err(),
            opened.read.read("full/dump", 0, None).await.err().unwrap(),
        ];
        for error in errors {
            assert_eq!((error.kind, error.attempts), (kind, attempts), "{error}");
            assert!(error.to_string().starts_with("store `s3`"), "{error}");
            assert!(error.to_string().contains("SCRIPTED0001"), "the request can be named to the provider: {error}");
            assert!(!error.to_string().contains("not-a-secret-at-all"));
        }
        let write = opened.write.as_ref().unwrap().create("new", 1, body(b"x")).await.unwrap_err();
        if kind != K::NotFound {
            assert_eq!(write.kind, kind, "{write}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn short_troubles_are_got_over() {
    let Rig { proxy, opened, fixture: _fixture } = rig().await;
    for fault in [Fault::slow_down(), Fault::Error(500, "InternalError"), Fault::Drop, Fault::Hang] {
        proxy.reset();
        proxy.next("", "", 1, fault.clone());
        assert_eq!(opened.read.head("full/dump").await.unwrap().size, 400_000, "{fault:?}");
        proxy.next("", "", 1, fault.clone());
        assert_eq!(listed(&*opened.read, "", None).await.unwrap().0.len(), 1, "{fault:?}");
        proxy.next("", "", 1, fault.clone());
        assert_eq!(opened.read.read_range("full/dump", 0..5, None).await.unwrap().len(), 5, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_body_is_read_on_under_its_pin() {
    let Rig { proxy, opened, fixture: _fixture } = rig().await;
    let pin = opened.read.head("full/dump").await.unwrap().pin();
    for fault in [Fault::CutAfter(100_000), Fault::StallAfter(100_000)] {
        proxy.reset();
        proxy.next("GET", "full/dump", 2, fault.clone());
        let bytes = drained(opened.read.read("full/dump", 0, Some(&pin)).await.unwrap()).await.unwrap();
        assert!(bytes == pattern(), "{fault:?}");
        assert_eq!(proxy.seen().len(), 3, "{:?}", proxy.seen());
        proxy.next("GET", "full/dump", 1, fault.clone());
        let bytes = opened.read.read_range("full/dump", 0..300_000, Some(&pin)).await.unwrap();
        assert!(bytes == pattern()[..300_000], "{fault:?}");
    }
    proxy.reset();
    proxy.always("GET", "full/dump", Fault::CutAfter(1000));
    let (came, error) = drained(opened.read.read("full/dump", 0, Some(&pin)).await.unwrap()).await.unwrap_err();
    assert_eq!((came, error.kind, error.attempts), (4000, StoreErrorKind::Corrupt, 4), "{error}");
    let (came, error) = drained(opened.read.read("full/dump", 0, None).await.unwrap()).await.unwrap_err();
    assert_eq!((came, error.kind), (1000, StoreErrorKind::Corrupt), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_replaced_in_the_middle_of_a_transfer_is_a_change() {
    let Rig { proxy, opened, fixture } = rig().await;
    let pin = opened.read.head("full/dump").await.unwrap().pin();
    proxy.next("GET", "full/dump", 1, Fault::StallAfter(50_000));
    let stream = opened.read.read("full/dump", 0, Some(&pin)).await.unwrap();
    fixture.put("full/dump", &vec![0; 400_000]);
    let (_, error) = drained(stream).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Changed, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_transfer_is_no_failure() {
    let Rig { proxy, opened, fixture: _fixture } = rig().await;
    proxy.next("GET", "full/dump", 1, Fault::Trickle(40_000, Duration::from_millis(60)));
    let bytes = drained(opened.read.read("full/dump", 0, None).await.unwrap()).await.unwrap();
    assert!(bytes == pattern());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_unreachable() {
    let Rig { mut proxy, opened, fixture: _fixture } = rig().await;
    proxy.down().await;
    let error = listed(&*opened.read, "", None).await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (StoreErrorKind::Unreachable, 4), "{error}");
    assert!(error.spent > Duration::ZERO);
    assert_eq!(opened.read.head("full/dump").await.unwrap_err().kind, StoreErrorKind::Unreachable);
    let mut nowhere = config_at("http://no-such-host.invalid:9", "s3", "");
    nowhere.id = "nowhere".into();
    let opened = open_with(&nowhere, &TestSecrets, PATIENCE).await.unwrap();
    let error = opened.read.head("x").await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unreachable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_is_unreachable_in_time() {
    let Rig { proxy, opened, fixture: _fixture } = rig().await;
    proxy.always("", "", Fault::Hang);
    let error = opened.read.head("full/dump").await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (StoreErrorKind::Unreachable, 4), "{error}");
    let error = listed(&*opened.read, "", None).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unreachable, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_objects_say_so() {
    let Rig { proxy, opened, fixture: _fixture } = rig().await;
    proxy.always("GET", "full/dump", Fault::archived());
    let error = opened.read.read("full/dump", 0, None).await.err().unwrap();
    assert_eq!(error.kind, StoreErrorKind::Archived, "{error}");
    let error = opened.read.read_range("full/dump", 0..1, None).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Archived, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_and_no_keys_are_told_apart() {
    let fixture = S3Fixture::start().await;
    fixture.put("x", b"x");
    let config = fixture.config("s3", "");
    let opened = open_with(&config, &WrongSecrets, PATIENCE).await.unwrap();
    let error = listed(&*opened.read, "", None).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied, "{error}");
    assert_eq!(opened.read.head("x").await.unwrap_err().kind, StoreErrorKind::Denied);

    let mut unsigned = config.clone();
    let StorePlace::S3(place) = &mut unsigned.place else { panic!("an S3 store") };
    place.credentials = S3Credentials::Anonymous;
    let opened = open_with(&unsigned, &TestSecrets, PATIENCE).await.unwrap();
    assert!(opened.write.is_none());
    let error = listed(&*opened.read, "", None).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied, "{error}");

    let mut profile = config;
    let StorePlace::S3(place) = &mut profile.place else { panic!("an S3 store") };
    place.credentials = S3Credentials::Profile { name: "relight-no-such-profile".to_owned() };
    let opened = open_with(&profile, &TestSecrets, PATIENCE).await.unwrap();
    let error = listed(&*opened.read, "", None).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::NoCredentials, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_requests_work_where_they_may() {
    use relight::demo::s3_server::{S3Server, S3ServerSettings};
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
    std::fs::write(folder.path().join(BUCKET).join("open"), b"to all").unwrap();
    let settings = S3ServerSettings { root: folder.path().to_owned(), port: 0, keys: None, sums: false };
    let server = S3Server::start(settings).await.unwrap();
    let mut config = config_at(&server.endpoint(), "s3", "");
    let StorePlace::S3(place) = &mut config.place else { panic!("an S3 store") };
    place.credentials = S3Credentials::Anonymous;
    let opened = open_with(&config, &TestSecrets, PATIENCE).await.unwrap();
    assert_eq!(opened.read.read_range("open", 0..6, None).await.unwrap(), "to all");
    let StorePlace::S3(place) = &mut config.place else { panic!("an S3 store") };
    place.bucket = "another-bucket".to_owned();
    let opened = open_with(&config, &TestSecrets, PATIENCE).await.unwrap();
    assert_eq!(listed(&*opened.read, "", None).await.unwrap_err().kind, StoreErrorKind::NotFound);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_conditions_is_caught() {
    let Rig { proxy, opened, fixture: _fixture } = rig().await;
    let pin = opened.read.head("full/dump").await.unwrap().pin();
    let other = |range: Option<&str>, etag: &str| {
        let mut headers = vec![("etag", format!("\"{etag}\""))];
        headers.extend(range.map(|range| ("content-range", range.to_owned())));
        Fault::Answer(if range.is_some() { 206 } else { 200 }, headers, "0123456789".to_owned())
    };
    let own = pin.etag.clone().unwrap();
    proxy.next("GET", "", 1, other(None, "new"));
    assert_eq!(opened.read.read("full/dump", 0, Some(&pin)).await.err().unwrap().kind, StoreErrorKind::Changed);
    proxy.next("GET", "", 1, other(None, &own));
    let error = opened.read.read("full/dump", 0, Some(&pin)).await.err().unwrap();
    assert_eq!(error.kind, StoreErrorKind::Changed, "another size under the same tag");
    proxy.next("GET", "", 4, other(None, &own));
    let error = opened.read.read("full/dump", 5, Some(&pin)).await.err().unwrap();
    assert_eq!(error.kind, StoreErrorKind::Corrupt, "the whole object instead of its rest: {error}");
    proxy.reset();
    proxy.next("GET", "", 4, other(Some("bytes 20-29/400000"), &own));
    let error = opened.read.read_range("full/dump", 0..10, Some(&pin)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Corrupt, "another range: {error}");
}
