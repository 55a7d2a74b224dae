//! A store that is asked only so much at once.
//!
//! Calls and open streams are counted apart, so that whoever reads a stream can always look at another
//! object meanwhile. Waiting for a place is bounded: a holder that never lets go becomes an error.

use crate::model::id::StoreId;
use crate::model::time::Timestamp;
use crate::stores::bucket::Bucket;
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::port::{
    ByteStream, ObjectMeta, ObjectSum, Page, Pin, PruningStore, Removed, Store, Thaw, ThawRequest, WritableStore,
};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

#[derive(Debug)]
pub struct Limit<S> {
    inner: S,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    wait: Duration,
}

impl<S: Store> Limit<S> {
    /// At most `at_once` calls and as many open streams. A listing counts as nothing: each store bounds
    /// the requests of its own listings.
    pub fn new(inner: S, at_once: usize, wait: Duration) -> Self {
        let places = || Arc::new(Semaphore::new(at_once.max(1)));
        Self { inner, calls: places(), streams: places(), wait }
    }

    async fn place(&self, of: &Arc<Semaphore>, name: &str) -> Result<OwnedSemaphorePermit, StoreError> {
        if let Ok(Ok(permit)) = timeout(self.wait, Arc::clone(of).acquire_owned()).await {
            return Ok(permit);
        }
        let message = format!("waited {} s for other transfers to end", self.wait.as_secs_f32());
        Err(StoreError::new(StoreErrorKind::Throttled, self.inner.id(), Some(name), message))
    }
}

#[async_trait::async_trait]
impl<S: Store> Store for Limit<S> {
    fn id(&self) -> &StoreId {
        self.inner.id()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>> {
        self.inner.list(prefix, after)
    }

    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        let _place = self.place(&self.calls, name).await?;
        self.inner.head(name).await
    }

    async fn sums(&self, name: &str, pin: &Pin) -> Result<Vec<ObjectSum>, StoreError> {
        let _place = self.place(&self.calls, name).await?;
        self.inner.sums(name, pin).await
    }

    async fn bucket(&self) -> Result<Option<Bucket>, StoreError> {
        let _place = self.place(&self.calls, "").await?;
        self.inner.bucket().await
    }

    async fn thaw_state(&self, name: &str, pin: &Pin) -> Result<Thaw, StoreError> {
        let _place = self.place(&self.calls, name).await?;
        self.inner.thaw_state(name, pin).await
    }

    async fn read_pieces(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        let _place = self.place(&self.calls, name).await?;
        self.inner.read_pieces(name, range, pin).await
    }

    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        let place = self.place(&self.streams, name).await?;
        let stream = self.inner.read(name, from, pin).await?;
        Ok(stream
            .map(move |piece| {
                let _held_while_the_stream_lives = &place;
                piece
            })
            .boxed())
    }
}

#[async_trait::async_trait]
impl<S: WritableStore> WritableStore for Limit<S> {
    async fn create(&self, name: &str, size: u64, body: ByteStream) -> Result<ObjectMeta, StoreError> {
        let _place = self.place(&self.streams, name).await?;
        self.inner.create(name, size, body).await
    }

    async fn thaw(&self, name: &str, pin: &Pin, ask: ThawRequest) -> Result<(), StoreError> {
        let _place = self.place(&self.calls, name).await?;
        self.inner.thaw(name, pin, ask).await
    }
}

#[async_trait::async_trait]
impl<S: PruningStore> PruningStore for Limit<S> {
    async fn remove(&self, name: &str, pin: &Pin, now: Timestamp) -> Result<Removed, StoreError> {
        let _place = self.place(&self.calls, name).await?;
        self.inner.remove(name, pin, now).await
    }
}
