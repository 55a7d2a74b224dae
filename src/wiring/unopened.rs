//! A store that could not be prepared: it keeps its place, and every use of it says why.

use crate::model::id::StoreId;
use crate::stores::{ByteStream, ObjectMeta, Page, Pin, Store, StoreError};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use std::ops::Range;

/// One store's missing key must not hide the other stores; this one is shown as not seen.
#[derive(Clone, Debug)]
pub struct UnopenedStore {
    pub id: StoreId,
    pub location: String,
    pub why: StoreError,
}

#[async_trait::async_trait]
impl Store for UnopenedStore {
    fn id(&self) -> &StoreId {
        &self.id
    }

    fn location(&self) -> String {
        self.location.clone()
    }

    fn list<'a>(&'a self, _prefix: &'a str, _after: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>> {
        stream::iter([Err(self.why.clone())]).boxed()
    }

    async fn head(&self, _name: &str) -> Result<ObjectMeta, StoreError> {
        Err(self.why.clone())
    }

    async fn read_pieces(&self, _name: &str, _range: Range<u64>, _pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        Err(self.why.clone())
    }

    async fn read(&self, _name: &str, _from: u64, _pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        Err(self.why.clone())
    }
}
