//! Every store, bare and wrapped, against one contract; S3 over real HTTP; every kind of failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

#[path = "../support/moto.rs"]
mod moto;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/s3.rs"]
mod s3;

mod contract;
mod faults;
mod folder;
mod listing;
mod parts;
mod place;
mod removal;
mod subjects;
mod sums;
mod wrappers;

use bytes::Bytes;
use futures::{StreamExt, stream};
use relight::stores::{ByteStream, ObjectMeta, Store, StoreError};

/// A whole listing: objects sorted by name, and what was skipped. Checks the order within pages.
async fn listed(
    store: &dyn Store,
    prefix: &str,
    after: Option<&str>,
) -> Result<(Vec<ObjectMeta>, Vec<(String, String)>), StoreError> {
    let (mut objects, mut skipped) = (Vec::new(), Vec::new());
    let mut pages = store.list(prefix, after);
    while let Some(page) = pages.next().await {
        let page = page?;
        assert!(page.objects.is_sorted_by(|a, b| a.name < b.name), "names ascend within a page");
        objects.extend(page.objects);
        skipped.extend(page.skipped);
    }
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(objects.windows(2).all(|pair| pair[0].name != pair[1].name), "no name comes twice");
    Ok((objects, skipped))
}

async fn names(store: &dyn Store, prefix: &str, after: Option<&str>) -> Vec<String> {
    listed(store, prefix, after).await.unwrap().0.into_iter().map(|object| object.name).collect()
}

/// All bytes of a stream, or its error with the number of bytes that came before.
async fn drained(mut stream: ByteStream) -> Result<Vec<u8>, (usize, StoreError)> {
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => return Err((bytes.len(), error)),
        }
    }
    Ok(bytes)
}

/// A body in pieces of seven bytes.
fn body(bytes: &[u8]) -> ByteStream {
    let pieces: Vec<_> = bytes.chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces).boxed()
}
