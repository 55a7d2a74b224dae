//! A snapshot on its way to a host: every byte passes the reader that counts keys and checks the sum.

use crate::model::task::Failure;
use crate::proof::fault::Fault;
use crate::proof::forms::rdb::{self, Snapshot};
use crate::tasks::decode::blocking_reader;
use crate::tasks::input::Stop;
use crate::tasks::process::Feed;
use bytes::Bytes;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

/// The verdict on a stream that was read through.
pub struct Reading {
    snapshot: JoinHandle<Result<Snapshot, Fault>>,
    sha256: Arc<Mutex<Sha256>>,
}

/// The same stream, and a reader that sees all of it.
pub fn read_along(feed: Feed) -> (Feed, Reading) {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, Failure>>(4);
    let sha256 = Arc::new(Mutex::new(Sha256::new()));
    let hash = Arc::clone(&sha256);
    let along = feed.then(move |chunk| {
        let (sender, hash) = (sender.clone(), Arc::clone(&hash));
        async move {
            if let Ok(bytes) = &chunk {
                hash.lock().unwrap_or_else(PoisonError::into_inner).update(bytes);
            }
            // A reader that has seen enough is gone; its verdict is asked for at the end.
            let _ = sender.send(chunk.clone()).await;
            chunk
        }
    });
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver).boxed();
    let reader = blocking_reader(stream);
    let snapshot = tokio::task::spawn_blocking(move || rdb::read(reader));
    (along.boxed(), Reading { snapshot, sha256 })
}

impl Reading {
    /// Asked once the stream was dropped: the snapshot's content, and the SHA-256 of its bytes.
    pub async fn verdict(self) -> Result<(Snapshot, String), Stop> {
        let read = self.snapshot.await.map_err(|error| Failure::new(format!("the reader broke: {error}")))?;
        let snapshot = read.map_err(|fault| match fault {
            Fault::Bad { .. } => Failure::new(format!("the snapshot is damaged: {fault}"))
                .means("it cannot be restored; the live server was not touched")
                .next("choose another copy or an older backup, and mark this one as bad"),
            other => Failure::new(format!("the snapshot could not be read to its end: {other}"))
                .means("nothing is known about it; the live server was not touched")
                .next("try again, or choose another copy"),
        })?;
        let sha256 = self.sha256.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize();
        Ok((snapshot, hex::encode(sha256)))
    }
}
