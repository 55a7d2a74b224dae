//! An S3 bucket, or a prefix of one, as a store. Nothing that a server says is trusted: names outside the
//! prefix, missing fields, other bytes than were asked for and lists that go in circles are errors.

mod bucket;
mod client;
mod error;
mod keeping;
mod listing;
mod page;
mod parts;
mod place;
mod read;
mod remove;
mod rooms;
mod split;
mod sums;
mod thaw;
mod upload;

pub use client::Waits;

use super::bucket::Bucket;
use super::error::{StoreError, StoreErrorKind};
use super::name::{bad_name, key_fault};
use super::port::{
    ByteStream, ObjectMeta, ObjectSum, Page, Pin, PruningStore, Removed, Store, Thaw, ThawRequest, WritableStore,
};
use super::wrap::RetryPolicy;
use crate::model::estate::{S3Keeping, S3Place};
use crate::model::id::StoreId;
use crate::model::secret::SecretSource;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use bytes::Bytes;
use futures::stream::BoxStream;
use rooms::Rooms;
use std::ops::Range;
use std::sync::Arc;

pub struct S3Store {
    id: StoreId,
    client: Client,
    bucket: String,
    prefix: String,
    location: String,
    keeping: S3Keeping,
    waits: Waits,
    /// For single pages of a listing and single parts of an object, which only those themselves can ask for again.
    retry: RetryPolicy,
    rooms: Arc<Rooms>,
    /// Whether the server keeps conditions on deletes; asked before the first one.
    conditional_deletes: tokio::sync::OnceCell<bool>,
}

impl std::fmt::Debug for S3Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Store").field("id", &self.id).field("location", &self.location).finish_non_exhaustive()
    }
}

impl S3Store {
    /// Prepares the client; nothing is asked of the server yet.
    pub async fn connect(
        id: &StoreId,
        place: &S3Place,
        secrets: &dyn SecretSource,
        waits: Waits,
        retry: RetryPolicy,
    ) -> Result<Self, StoreError> {
        let client = client::connect(place, id, secrets, waits).await?;
        Ok(Self {
            id: id.clone(),
            client,
            bucket: place.bucket.clone(),
            prefix: place.prefix.clone(),
            location: location(place),
            keeping: place.keeping.clone(),
            waits,
            retry,
            rooms: Arc::default(),
            conditional_deletes: tokio::sync::OnceCell::new(),
        })
    }

    /// The full key of an object, or why there can be none.
    fn key(&self, name: &str) -> Result<String, StoreError> {
        let key = format!("{}{name}", self.prefix);
        match key_fault(name).or_else(|| key_fault(&key)) {
            Some(fault) => Err(bad_name(&self.id, name, fault)),
            None => Ok(key),
        }
    }

    async fn ask_head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        self.described(name, &self.answer_to_head(name).await?)
    }

    async fn answer_to_head(&self, name: &str) -> Result<HeadObjectOutput, StoreError> {
        let key = self.key(name)?;
        match self.client.head_object().bucket(&self.bucket).key(&key).send().await {
            Ok(answer) => Ok(answer),
            Err(failed) => {
                let error = error::of_request(&self.id, Some(name), "look at the object", &failed);
                Err(self.explained(&key, name, error).await)
            }
        }
    }

    fn described(&self, name: &str, answer: &HeadObjectOutput) -> Result<ObjectMeta, StoreError> {
        let size = answer
            .content_length()
            .and_then(|size| u64::try_from(size).ok())
            .ok_or_else(|| error::nonsense(&self.id, Some(name), "it gives no size"))?;
        Ok(ObjectMeta {
            name: name.to_owned(),
            size,
            modified: answer.last_modified().and_then(instant),
            etag: answer.e_tag().map(bare_tag),
            storage_class: answer.storage_class().map(|class| class.as_str().to_owned()),
        })
    }

    /// An answer to HEAD has no body, so a refusal says nothing but a status: expired keys and a wrong
    /// clock look like any other. Asking for one byte brings the reason.
    async fn explained(&self, key: &str, name: &str, error: StoreError) -> StoreError {
        if !matches!(error.kind, StoreErrorKind::Denied | StoreErrorKind::Other) {
            return error;
        }
        match self.client.get_object().bucket(&self.bucket).key(key).range("bytes=0-0").send().await {
            Ok(_) => error,
            Err(failed) => {
                let reason = error::of_request(&self.id, Some(name), "look at the object", &failed);
                let worse = matches!(reason.kind, StoreErrorKind::Unreachable | StoreErrorKind::Throttled);
                if worse { error } else { reason }
            }
        }
    }
}

fn location(place: &S3Place) -> String {
    let mut text = format!("s3://{}/{}", place.bucket, place.prefix);
    if let Some(endpoint) = &place.endpoint {
        let (scheme, rest) = endpoint.split_once("://").unwrap_or(("", endpoint));
        // What stands before an `@` may be a password.
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        text.push_str(&format!(" at {scheme}://{host}"));
    }
    escaped(&text).into_owned()
}

/// Whole seconds: HTTP dates carry no more, and the same object must look the same however it was asked for.
fn instant(at: &DateTime) -> Option<Timestamp> {
    Timestamp::from_timestamp(at.secs(), 0)
}

fn bare_tag(tag: &str) -> String {
    tag.trim().trim_start_matches("W/").trim_matches('"').chars().take(200).collect()
}

#[async_trait::async_trait]
impl Store for S3Store {
    fn id(&self) -> &StoreId {
        &self.id
    }

    fn location(&self) -> String {
        self.location.clone()
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>> {
        listing::list(self, prefix, after)
    }

    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        self.ask_head(name).await
    }

    async fn sums(&self, name: &str, pin: &Pin) -> Result<Vec<ObjectSum>, StoreError> {
        sums::ask(self, name, pin).await
    }

    async fn bucket(&self) -> Result<Option<Bucket>, StoreError> {
        bucket::ask(self).await
    }

    async fn thaw_state(&self, name: &str, pin: &Pin) -> Result<Thaw, StoreError> {
        thaw::state(self, name, pin).await
    }

    async fn read_pieces(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        read::read_pieces(self, name, range, pin).await
    }

    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        read::read(self, name, from, pin).await
    }
}

#[async_trait::async_trait]
impl WritableStore for S3Store {
    async fn create(&self, name: &str, size: u64, body: ByteStream) -> Result<ObjectMeta, StoreError> {
        upload::create(self, name, size, body).await
    }

    async fn thaw(&self, name: &str, pin: &Pin, ask: ThawRequest) -> Result<(), StoreError> {
        thaw::ask(self, name, pin, ask).await
    }
}

#[async_trait::async_trait]
impl PruningStore for S3Store {
    async fn remove(&self, name: &str, pin: &Pin, now: Timestamp) -> Result<Removed, StoreError> {
        remove::remove(self, name, pin, now).await
    }
}
