//! Long objects are written in parts: nothing shows before all are there, what broke off is gone on with, and what was
//! asked for is looked at.

use crate::moto::{Moto, direct};
use crate::proxy::{Fault, Proxy};
use crate::s3::{BUCKET, S3Fixture, TestSecrets, config_at};
use crate::{drained, names};
use bytes::Bytes;
use futures::{StreamExt, stream};
use relight::model::estate::{S3Encryption, S3Keeping, StoreConfig, StorePlace};
use relight::stores::{ByteStream, Patience, PruningStore, StoreErrorKind, open_to_prune};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const MIB: usize = 1 << 20;
/// Three parts.
const LONG: usize = 40 * MIB + 5;

const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(20),
    call: Duration::from_mins(1),
    idle: Duration::from_secs(20),
    attempts: 4,
    pause: Duration::from_millis(5),
    at_once: 16,
};

/// Bytes that differ from part to part and from seed to seed.
fn content(seed: u64) -> Bytes {
    let mut state = seed | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(LONG).collect::<Vec<u8>>().into()
}

fn body(bytes: &Bytes) -> ByteStream {
    let bytes = bytes.clone();
    let pieces = (0..bytes.len()).step_by(300_007).map(move |at| Ok(bytes.slice(at..bytes.len().min(at + 300_007))));
    stream::iter(pieces.collect::<Vec<_>>()).boxed()
}

async fn opened(config: &StoreConfig) -> Arc<dyn PruningStore> {
    open_to_prune(config, &TestSecrets, PATIENCE).await.unwrap()
}

async fn read(store: &dyn PruningStore, name: &str) -> Vec<u8> {
    drained(store.read(name, 0, None).await.unwrap()).await.unwrap()
}

/// Numbers of the parts that were sent, and how many uploads were given up.
fn sent(proxy: &Proxy) -> (Vec<u32>, usize) {
    let seen = proxy.seen();
    let number = |line: &String| {
        let (_, rest) = line.strip_prefix("PUT ")?.split_once("partNumber=")?;
        rest.split('&').next()?.parse().ok()
    };
    let mut numbers: Vec<u32> = seen.iter().filter_map(number).collect();
    numbers.sort_unstable();
    // One that meets a server at work on a part may be asked twice.
    let given_up = seen.iter().filter(|line| line.starts_with("DELETE") && line.contains("uploadId="));
    (numbers, given_up.collect::<BTreeSet<_>>().len())
}

struct Rig {
    server: Moto,
    proxy: Proxy,
    store: Arc<dyn PruningStore>,
}

async fn rig() -> Rig {
    let server = Moto::start(BUCKET).await;
    let proxy = Proxy::start(server.address()).await;
    mended(&proxy);
    let store = opened(&config_at(&proxy.endpoint(), "s3", "daily/")).await;
    Rig { server, proxy, store }
}

impl Rig {
    /// Begins to write, and is gone before the third part is.
    async fn broken_off(&self, bytes: &Bytes) {
        self.proxy.always("PUT", "partNumber=3", Fault::Hang);
        let writing = self.store.create("app.dump", bytes.len() as u64, body(bytes));
        let both = async {
            while sent(&self.proxy).0 != [1, 2, 3] {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            // The first two are not only sent, they are there.
            tokio::time::sleep(Duration::from_secs(2)).await;
        };
        tokio::select! {
            done = writing => panic!("{done:?}"),
            () = both => {}
        }
        assert_eq!(names(&*self.store, "", None).await, [""; 0], "nothing shows before all is there");
        self.proxy.reset();
        mended(&self.proxy);
    }
}

/// The server gives the list of parts another name than S3 does.
fn mended(proxy: &Proxy) {
    proxy.always("GET", "x-id=ListParts", Fault::Instead("ListPartsResponse", "ListPartsResult"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_object_is_written_in_parts_and_is_one_afterwards() {
    let Rig { proxy, store, server: _server } = rig().await;
    let bytes = content(1);
    proxy.next("PUT", "partNumber=2", 1, Fault::slow_down());
    let written = store.create("app.dump", bytes.len() as u64, body(&bytes)).await.unwrap();
    assert_eq!(written.size, bytes.len() as u64);
    assert_eq!(sent(&proxy), (vec![1, 2, 2, 3], 0), "the part that was refused once more, and no other");
    assert!(read(&*store, "app.dump").await == bytes);
    let error = store.create("app.dump", bytes.len() as u64, body(&content(2))).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::AlreadyExists, "{error}");
    assert!(read(&*store, "app.dump").await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lists_no_uploads_is_sent_all_of_it() {
    let fixture = S3Fixture::start().await;
    let store = opened(&config_at(&fixture.server.endpoint(), "s3", "")).await;
    let bytes = content(1);
    store.create("app.dump", bytes.len() as u64, body(&bytes)).await.unwrap();
    assert!(std::fs::read(fixture.file("app.dump")).unwrap() == bytes);
    assert!(read(&*store, "app.dump").await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_broke_off_is_gone_on_with_and_no_part_is_sent_twice() {
    let rig = rig().await;
    let bytes = content(1);
    rig.broken_off(&bytes).await;
    rig.store.create("app.dump", bytes.len() as u64, body(&bytes)).await.unwrap();
    assert_eq!(sent(&rig.proxy), (vec![3], 0));
    assert!(read(&*rig.store, "app.dump").await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_other_bytes_are_not_taken_for_ones_own() {
    let rig = rig().await;
    rig.broken_off(&content(1)).await;
    let bytes = content(2);
    rig.store.create("app.dump", bytes.len() as u64, body(&bytes)).await.unwrap();
    assert_eq!(sent(&rig.proxy), (vec![1, 2, 3], 0));
    assert!(read(&*rig.store, "app.dump").await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_length_leaves_neither_object_nor_parts() {
    let Rig { proxy, store, server } = rig().await;
    let bytes = content(1);
    for announced in [bytes.len() - 1, bytes.len() + 1] {
        let error = store.create("app.dump", announced as u64, body(&bytes)).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(&announced.to_string()), "{error}");
    }
    assert_eq!(sent(&proxy).1, 2, "both were given up");
    assert_eq!(names(&*store, "", None).await, [""; 0]);
    let left =
        direct().get(format!("{}/{BUCKET}?uploads", server.endpoint())).send().await.unwrap().text().await.unwrap();
    assert!(left.contains("ListMultipartUploadsResult") && !left.contains("<Upload>"), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_appears_meanwhile_stays_and_the_parts_go() {
    let fixture = Arc::new(S3Fixture::start().await);
    let proxy = Proxy::start(fixture.server.address()).await;
    let store = opened(&config_at(&proxy.endpoint(), "s3", "")).await;
    let (bytes, other) = (content(1), Arc::clone(&fixture));
    let last = bytes.len() - 1;
    let ending = bytes.slice(last..);
    let late = stream::once(async move {
        other.put("app.dump", b"another's");
        Ok(ending)
    });
    let body = body(&bytes.slice(..last)).chain(late).boxed();
    // This server's signatures cover the host, which is the proxy's: it must take what it gets.
    let error = store.create("app.dump", bytes.len() as u64, body).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::AlreadyExists, "{error}");
    assert_eq!(std::fs::read(fixture.file("app.dump")).unwrap(), b"another's");
    assert_eq!(sent(&proxy), (vec![1, 2, 3], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn class_and_encryption_are_asked_for_and_looked_at() {
    let keeping = |class: &str, encryption| S3Keeping { storage_class: Some(class.to_owned()), encryption };
    let with = |endpoint: &str, keeping: S3Keeping| {
        let mut config = config_at(endpoint, "s3", "");
        if let StorePlace::S3(place) = &mut config.place {
            place.keeping = keeping;
        }
        config
    };
    let server = Moto::start(BUCKET).await;
    let key = S3Encryption::Kms { key: Some("arn:aws:kms:us-east-1:111122223333:key/backups".to_owned()) };
    for (name, kept) in [("one", S3Encryption::Aes256), ("two", key)] {
        let store = opened(&with(&server.endpoint(), keeping("STANDARD_IA", Some(kept.clone())))).await;
        for (bytes, path) in [(Bytes::from_static(b"short"), "short"), (content(1), "long")] {
            let path = format!("{name}/{path}");
            let written = store.create(&path, bytes.len() as u64, body(&bytes)).await.unwrap();
            assert_eq!(written.storage_class.as_deref(), Some("STANDARD_IA"));
            let head = direct().head(format!("{}/{BUCKET}/{path}", server.endpoint()));
            // It wants to see that somebody signs, and does not look at the signature.
            let head = head.header("authorization", "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request");
            let head = head.send().await.unwrap().headers().clone();
            let (how, whose) = match &kept {
                S3Encryption::Aes256 => ("AES256", None),
                S3Encryption::Kms { key } => ("aws:kms", key.as_deref()),
            };
            assert_eq!(head["x-amz-server-side-encryption"], how, "{path}");
            let id = head.get("x-amz-server-side-encryption-aws-kms-key-id").map(|id| id.to_str().unwrap());
            assert_eq!(id, whose, "{path}");
        }
    }
    // A server that takes the request and leaves out what was asked for.
    let fixture = S3Fixture::start().await;
    let store = opened(&with(&fixture.server.endpoint(), keeping("STANDARD", Some(S3Encryption::Aes256)))).await;
    let error = store.create("short", 5, body(&Bytes::from_static(b"short"))).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("`not encrypted`, asked for was `AES256`"), "{error}");
}
