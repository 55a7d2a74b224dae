//! Listings of S3: ranges side by side, and answers that must not be believed.

use crate::proxy::{Fault, Proxy};
use crate::s3::{S3Fixture, TestSecrets, config_at};
use crate::{listed, names};
use relight::stores::{Opened, StoreErrorKind, open};
use std::collections::BTreeSet;

async fn through_proxy(fixture: &S3Fixture, prefix: &str) -> (Proxy, Opened) {
    let proxy = Proxy::start(fixture.server.address()).await;
    let opened = open(&config_at(&proxy.endpoint(), "s3", prefix), &TestSecrets).await.unwrap();
    (proxy, opened)
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_listed_side_by_side() {
    let fixture = S3Fixture::start().await;
    let mut all = BTreeSet::new();
    for folder in 0..24 {
        // One folder holds half of everything, others hold folders again.
        let members = if folder == 7 { 3000 } else { 130 };
        for member in 0..members {
            let name = format!("estate/{folder:02}/{}/{member:05}", member % 3);
            fixture.put(&name, b"");
            all.insert(name.strip_prefix("estate/").unwrap().to_owned());
        }
    }
    fixture.put("estate-not", b"");
    let (proxy, opened) = through_proxy(&fixture, "estate/").await;
    let found: BTreeSet<String> = names(&*opened.read, "", None).await.into_iter().collect();
    assert!(found == all, "{} of {}", found.len(), all.len());
    let seen = proxy.seen();
    let searches = seen.iter().filter(|request| request.contains("delimiter")).count();
    let starts: BTreeSet<&str> =
        seen.iter().filter_map(|r| r.split('&').find(|part| part.contains("start-after"))).collect();
    assert!(searches >= 1 && starts.len() >= 5, "{seen:#?}");
    assert!(seen.len() < 60, "{} requests for {} objects", seen.len(), all.len());
    let some: BTreeSet<String> = names(&*opened.read, "0", Some("07/1/00500")).await.into_iter().collect();
    let wanted = |name: &&String| name.starts_with('0') && name.as_str() > "07/1/00500";
    assert!(some == all.iter().filter(wanted).cloned().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flat_prefix_is_listed_in_sequence_with_little_searching() {
    let fixture = S3Fixture::start().await;
    for number in 0..6500 {
        fixture.put(&format!("wal/{number:024X}.gz"), b"");
    }
    let (proxy, opened) = through_proxy(&fixture, "").await;
    assert_eq!(names(&*opened.read, "", None).await.len(), 6500);
    let searches = proxy.seen().iter().filter(|request| request.contains("delimiter")).count();
    assert!(searches <= 4, "{:#?}", proxy.seen());
}

fn page(truncated: Option<bool>, token: Option<&str>, keys: &[(&str, Option<&str>)]) -> Fault {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>backups</Name>".to_owned();
    for (key, size) in keys {
        let size = size.map(|size| format!("<Size>{size}</Size>")).unwrap_or_default();
        text.push_str(&format!(
            "<Contents><Key>{key}</Key>{size}<LastModified>2026-11-01T02:00:00.000Z</LastModified></Contents>"
        ));
    }
    text.push_str(&truncated.map(|t| format!("<IsTruncated>{t}</IsTruncated>")).unwrap_or_default());
    text.push_str(&token.map(|t| format!("<NextContinuationToken>{t}</NextContinuationToken>")).unwrap_or_default());
    text.push_str("</ListBucketResult>");
    Fault::Answer(200, vec![("content-type", "application/xml".to_owned())], text)
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_in_listings_are_errors() {
    let fixture = S3Fixture::start().await;
    let (proxy, opened) = through_proxy(&fixture, "in/").await;
    let one = Some("1");
    let lies = [
        ("a key outside of the prefix", page(Some(false), None, &[("out/x", one)])),
        ("a key above the prefix", page(Some(false), None, &[("in", one)])),
        ("keys out of order", page(Some(false), None, &[("in/b", one), ("in/a", one)])),
        ("a key twice", page(Some(false), None, &[("in/a", one), ("in/a", one)])),
        ("no size", page(Some(false), None, &[("in/a", None)])),
        ("a negative size", page(Some(false), None, &[("in/a", Some("-1"))])),
        ("no word on the end", page(None, None, &[("in/a", one)])),
        ("more without a way to it", page(Some(true), None, &[("in/a", one)])),
        ("the same page again and again", page(Some(true), Some("t"), &[("in/a", one)])),
        ("no list at all", Fault::Answer(200, vec![], "<html>Sign in to the hotel network</html>".to_owned())),
        ("not even XML", Fault::Answer(200, vec![], "OK".to_owned())),
    ];
    for (what, lie) in lies {
        proxy.reset();
        proxy.always("GET", "", lie);
        let error = listed(&*opened.read, "", None).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Corrupt, "{what}: {error}");
        println!("{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_cut_off() {
    let fixture = S3Fixture::start().await;
    let (proxy, opened) = through_proxy(&fixture, "").await;
    proxy.always("GET", "", Fault::Answer(200, vec![], format!("<ListBucketResult>{}", " ".repeat(20 << 20))));
    let error = listed(&*opened.read, "", None).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Corrupt, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be_shown_or_used_are_reported() {
    let fixture = S3Fixture::start().await;
    let (proxy, opened) = through_proxy(&fixture, "in/").await;
    let long = format!("in/{}", "n".repeat(1025));
    let keys = [("in/", "0"), ("in//etc/passwd", "1"), ("in/a%41", "1"), (long.as_str(), "1")];
    let keys: Vec<(&str, Option<&str>)> = keys.iter().map(|(key, size)| (*key, Some(*size))).collect();
    proxy.next("GET", "", 1, page(Some(false), None, &keys));
    let (objects, skipped) = listed(&*opened.read, "", None).await.unwrap();
    assert_eq!(objects.iter().map(|object| object.name.as_str()).collect::<Vec<_>>(), ["a%41"]);
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    assert_eq!(skipped[0], ("/etc/passwd".to_owned(), "the name starts with a slash".to_owned()));
    assert_eq!(skipped[1].1, "the name is longer than 1024 bytes");
}
