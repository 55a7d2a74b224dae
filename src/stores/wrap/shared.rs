//! A shared store is a store, so that wrappers can stand around one that others hold too.

use crate::model::id::StoreId;
use crate::model::time::Timestamp;
use crate::stores::bucket::Bucket;
use crate::stores::error::StoreError;
use crate::stores::port::{
    ByteStream, ObjectMeta, ObjectSum, Page, Pin, PruningStore, Removed, Store, Thaw, ThawRequest, WritableStore,
};
use bytes::Bytes;
use futures::stream::BoxStream;
use std::ops::Range;
use std::sync::Arc;

#[async_trait::async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    fn id(&self) -> &StoreId {
        (**self).id()
    }

    fn location(&self) -> String {
        (**self).location()
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>> {
        (**self).list(prefix, after)
    }

    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        (**self).head(name).await
    }

    async fn sums(&self, name: &str, pin: &Pin) -> Result<Vec<ObjectSum>, StoreError> {
        (**self).sums(name, pin).await
    }

    async fn bucket(&self) -> Result<Option<Bucket>, StoreError> {
        (**self).bucket().await
    }

    async fn thaw_state(&self, name: &str, pin: &Pin) -> Result<Thaw, StoreError> {
        (**self).thaw_state(name, pin).await
    }

    async fn read_pieces(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        (**self).read_pieces(name, range, pin).await
    }

    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        (**self).read(name, from, pin).await
    }
}

#[async_trait::async_trait]
impl<S: WritableStore + ?Sized> WritableStore for Arc<S> {
    async fn create(&self, name: &str, size: u64, body: ByteStream) -> Result<ObjectMeta, StoreError> {
        (**self).create(name, size, body).await
    }

    async fn thaw(&self, name: &str, pin: &Pin, ask: ThawRequest) -> Result<(), StoreError> {
        (**self).thaw(name, pin, ask).await
    }
}

#[async_trait::async_trait]
impl<S: PruningStore + ?Sized> PruningStore for Arc<S> {
    async fn remove(&self, name: &str, pin: &Pin, now: Timestamp) -> Result<Removed, StoreError> {
        (**self).remove(name, pin, now).await
    }
}
