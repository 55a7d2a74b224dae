//! A store that answers in time or fails: no call hangs, whatever the server or mount does.

use crate::model::id::StoreId;
use crate::model::time::Timestamp;
use crate::stores::bucket::Bucket;
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::port::{
    ByteStream, MAX_RANGE, ObjectMeta, ObjectSum, Page, Pin, PruningStore, Removed, Store, Thaw, ThawRequest,
    WritableStore,
};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::future::Future;
use std::ops::Range;
use std::time::Duration;
use tokio::time::timeout;

/// Slowest transfer of a whole body that is waited for, in bytes per second.
pub const SLOWEST: u64 = 256 * 1024;

#[derive(Debug)]
pub struct Deadline<S> {
    inner: S,
    call: Duration,
    idle: Duration,
}

impl<S: Store> Deadline<S> {
    /// `call` bounds each single request, besides the time that its bytes may take; `idle` bounds the silence between two pieces of a stream or two
    /// pages of a listing.
    pub fn new(inner: S, call: Duration, idle: Duration) -> Self {
        Self { inner, call, idle }
    }

    async fn within<T>(
        &self,
        limit: Duration,
        name: &str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(limit, call).await.unwrap_or_else(|_| Err(too_late(self.inner.id(), Some(name), limit)))
    }
}

fn too_late(store: &StoreId, name: Option<&str>, limit: Duration) -> StoreError {
    let message = format!("no answer within {} s", limit.as_secs_f32());
    StoreError { spent: limit, ..StoreError::new(StoreErrorKind::Unreachable, store, name, message) }
}

/// `stream`, ended by an error when it is silent for `idle`.
fn watched<'a, T: Send + 'a>(
    stream: BoxStream<'a, Result<T, StoreError>>,
    idle: Duration,
    late: impl Fn() -> StoreError + Send + 'a,
) -> BoxStream<'a, Result<T, StoreError>> {
    stream::unfold(Some((stream, late)), move |state| async move {
        let (mut stream, late) = state?;
        match timeout(idle, stream.next()).await {
            Ok(Some(Ok(item))) => Some((Ok(item), Some((stream, late)))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => Some((Err(late()), None)),
        }
    })
    .boxed()
}

#[async_trait::async_trait]
impl<S: Store> Store for Deadline<S> {
    fn id(&self) -> &StoreId {
        self.inner.id()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>> {
        // A page may hold several requests of the store below, each with its own limit.
        let limit = self.call + self.idle;
        watched(self.inner.list(prefix, after), limit, move || too_late(self.inner.id(), None, limit))
    }

    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        self.within(self.call, name, self.inner.head(name)).await
    }

    async fn sums(&self, name: &str, pin: &Pin) -> Result<Vec<ObjectSum>, StoreError> {
        self.within(self.call, name, self.inner.sums(name, pin)).await
    }

    async fn bucket(&self) -> Result<Option<Bucket>, StoreError> {
        self.within(self.call, "", self.inner.bucket()).await
    }

    async fn thaw_state(&self, name: &str, pin: &Pin) -> Result<Thaw, StoreError> {
        self.within(self.call, name, self.inner.thaw_state(name, pin)).await
    }

    async fn read_pieces(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        let limit = self.call + Duration::from_secs(range.end.saturating_sub(range.start).min(MAX_RANGE) / SLOWEST);
        self.within(limit, name, self.inner.read_pieces(name, range, pin)).await
    }

    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        let stream = self.within(self.call, name, self.inner.read(name, from, pin)).await?;
        let (id, name, idle) = (self.inner.id().clone(), name.to_owned(), self.idle);
        Ok(watched(stream, idle, move || {
            let message = format!("the transfer stood still for {} s", idle.as_secs_f32());
            let error = StoreError::new(StoreErrorKind::Unreachable, &id, Some(&name), message);
            StoreError { spent: idle, ..error }
        }))
    }
}

#[async_trait::async_trait]
impl<S: WritableStore> WritableStore for Deadline<S> {
    async fn create(&self, name: &str, size: u64, body: ByteStream) -> Result<ObjectMeta, StoreError> {
        let limit = self.call + Duration::from_secs(size / SLOWEST);
        self.within(limit, name, self.inner.create(name, size, body)).await
    }

    async fn thaw(&self, name: &str, pin: &Pin, ask: ThawRequest) -> Result<(), StoreError> {
        self.within(self.call, name, self.inner.thaw(name, pin, ask)).await
    }
}

#[async_trait::async_trait]
impl<S: PruningStore> PruningStore for Deadline<S> {
    async fn remove(&self, name: &str, pin: &Pin, now: Timestamp) -> Result<Removed, StoreError> {
        self.within(self.call, name, self.inner.remove(name, pin, now)).await
    }
}
