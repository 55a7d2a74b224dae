//! A new object in parts, several at once. Nothing shows under its name before all are there; one that broke off is
//! gone on with: parts that the server has with the very same bytes are not sent again.

use super::S3Store;
use super::client::{AnswerLimit, Waits, part_time_limits, upload_time_limits};
use super::error::{nonsense, of_request};
use crate::model::id::StoreId;
use crate::model::size::ByteCount;
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::port::ByteStream;
use crate::stores::wrap::RetryPolicy;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream as SdkStream, SdkBody};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, MultipartUpload};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use md5::{Digest as _, Md5};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

/// Largest object that S3 takes.
pub(super) const MAX_OBJECT: u64 = 5 << 40;
/// Most parts of one object, by the rules of S3.
const MAX_PARTS: u64 = 10_000;
/// Bytes of a part, up to the size (156 GiB) from which on the parts must be longer.
const PART: u64 = 16 << 20;
/// Parts under way at once, while they are of that length: with the one that is being gathered, 64 MiB.
const AT_ONCE: usize = 3;
/// Most unfinished uploads under one name that are looked through for one to go on with.
const MAX_UNFINISHED: i32 = 100;

/// Whole mebibytes.
fn part_bytes(size: u64) -> u64 {
    PART.max(size.div_ceil(MAX_PARTS).next_multiple_of(1 << 20))
}

fn at_once(part: u64) -> usize {
    ((AT_ONCE as u64 * PART / part) as usize).max(1)
}

/// An object that is not there yet, and what the server has of it.
struct Upload {
    client: Client,
    waits: Waits,
    retry: RetryPolicy,
    store: StoreId,
    name: String,
    bucket: String,
    key: String,
    id: String,
    /// Size and tag of the parts that an earlier try brought there.
    there: BTreeMap<i32, (u64, String)>,
}

/// Writes the object unless one lies under the name by the time when all parts are there.
pub(super) async fn create(
    store: &S3Store,
    name: &str,
    key: &str,
    size: u64,
    body: ByteStream,
) -> Result<(), StoreError> {
    let upload = match unfinished(store, name, key).await? {
        Some(upload) => upload,
        None => begin(store, name, key).await?,
    };
    let upload = Arc::new(upload);
    let done = async { upload.complete(upload.send(size, body).await?).await }.await;
    if let Err(error) = &done
        && !error.is_transient()
    {
        upload.abandon().await;
    }
    done
}

/// The newest upload that was begun under this name and not ended.
async fn unfinished(store: &S3Store, name: &str, key: &str) -> Result<Option<Upload>, StoreError> {
    let doing = "look for an upload that broke off";
    let found = store.retry.run(|| async {
        let request =
            store.client.list_multipart_uploads().bucket(&store.bucket).prefix(key).max_uploads(MAX_UNFINISHED);
        let found = request.customize().interceptor(AnswerLimit::WHOLE).send().await;
        found.map_err(|failed| of_request(&store.id, Some(name), doing, &failed))
    });
    let found = match found.await {
        Ok(found) => found,
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => return Ok(unknown(&error)),
    };
    let begun = |upload: &&MultipartUpload| upload.initiated().map(|at| (at.secs(), at.subsec_nanos()));
    let newest = found.uploads().iter().filter(|upload| upload.key() == Some(key)).max_by_key(begun);
    let Some(id) = newest.and_then(MultipartUpload::upload_id) else { return Ok(None) };
    let mut upload = Upload::of(store, name, key, id.to_owned());
    match upload.look().await {
        Ok(()) => Ok(Some(upload)),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => Ok(unknown(&error)),
    }
}

/// Servers may not list what is unfinished, and keys may not be allowed to: then all is sent anew.
fn unknown(error: &StoreError) -> Option<Upload> {
    tracing::debug!(%error, "unfinished uploads are not listed");
    None
}

async fn begin(store: &S3Store, name: &str, key: &str) -> Result<Upload, StoreError> {
    let begun = store.retry.run(|| async {
        let request = store.client.create_multipart_upload().bucket(&store.bucket).key(key);
        let request = request
            .set_storage_class(store.keeping.class())
            .set_server_side_encryption(store.keeping.sse())
            .set_ssekms_key_id(store.keeping.kms_key());
        request.send().await.map_err(|failed| of_request(&store.id, Some(name), "begin to write the object", &failed))
    });
    let id = begun.await?.upload_id().map(str::to_owned);
    let id = id.ok_or_else(|| nonsense(&store.id, Some(name), "it gives no name for the upload"))?;
    Ok(Upload::of(store, name, key, id))
}

impl Upload {
    fn of(store: &S3Store, name: &str, key: &str, id: String) -> Self {
        Self {
            client: store.client.clone(),
            waits: store.waits,
            retry: store.retry,
            store: store.id.clone(),
            name: name.to_owned(),
            bucket: store.bucket.clone(),
            key: key.to_owned(),
            id,
            there: BTreeMap::new(),
        }
    }

    fn failed<E>(&self, doing: &str, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        of_request(&self.store, Some(&self.name), doing, error)
    }

    /// Finds out which parts are there.
    async fn look(&mut self) -> Result<(), StoreError> {
        let mut after = None::<String>;
        // Pages hold a thousand parts; a server that never ends is left after all that there can be.
        for _ in 0..=MAX_PARTS / 1000 {
            let page = self.retry.run(|| async {
                let request = self.client.list_parts().bucket(&self.bucket).key(&self.key);
                let request = request.upload_id(&self.id).set_part_number_marker(after.clone());
                let doing = "look at the parts that are there";
                let page = request.customize().interceptor(AnswerLimit::WHOLE).send().await;
                page.map_err(|failed| self.failed(doing, &failed))
            });
            let page = page.await?;
            for part in page.parts() {
                let size = part.size().and_then(|size| u64::try_from(size).ok());
                if let (Some(number), Some(size), Some(tag)) = (part.part_number(), size, part.e_tag()) {
                    self.there.insert(number, (size, tag.to_owned()));
                }
            }
            after = page.next_part_number_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Sends what is not there, and gives all parts in their order.
    async fn send(self: &Arc<Self>, size: u64, body: ByteStream) -> Result<Vec<CompletedPart>, StoreError> {
        let bytes = part_bytes(size);
        let cut = Cut { upload: Arc::clone(self), size, body, rest: Bytes::new(), left: size, number: 0 };
        let parts =
            stream::try_unfold(cut, |mut cut| async move { Ok(cut.next(bytes).await?.map(|part| (part, cut))) });
        let send = |(number, bytes)| {
            let upload = Arc::clone(self);
            async move { upload.part(number, bytes).await }
        };
        let sent = parts.map_ok(send).try_buffer_unordered(at_once(bytes));
        let mut sent: Vec<CompletedPart> = sent.try_collect().await?;
        sent.sort_by_key(CompletedPart::part_number);
        Ok(sent)
    }

    async fn part(&self, number: i32, bytes: Bytes) -> Result<CompletedPart, StoreError> {
        let done = |tag: String| CompletedPart::builder().part_number(number).e_tag(tag).build();
        if let Some((size, tag)) = self.there.get(&number)
            && *size == bytes.len() as u64
            && tag.trim_matches('"') == hex::encode(Md5::digest(&bytes))
        {
            return Ok(done(tag.clone()));
        }
        let sent = self.retry.run(|| async {
            let request = self.client.upload_part().bucket(&self.bucket).key(&self.key);
            let request = request.upload_id(&self.id).part_number(number).content_length(bytes.len() as i64);
            let limits = part_time_limits(self.waits, bytes.len());
            request
                .body(SdkStream::new(SdkBody::from(bytes.clone())))
                .customize()
                .config_override(Builder::new().timeout_config(limits))
                .send()
                .await
                .map_err(|failed| self.failed("write a part of the object", &failed))
        });
        let tag = sent.await?.e_tag().map(str::to_owned);
        tag.map(done).ok_or_else(|| nonsense(&self.store, Some(&self.name), "it gives no tag for a part"))
    }

    /// Not tried again: whether a request that broke off took effect, a look at the object tells.
    async fn complete(&self, parts: Vec<CompletedPart>) -> Result<(), StoreError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(&self.key);
        let request = request.upload_id(&self.id).if_none_match("*").multipart_upload(parts);
        // The server may take long to put them together.
        let limits = upload_time_limits(self.waits);
        let done = request.customize().config_override(Builder::new().timeout_config(limits)).send().await;
        let doing = "put the parts of the object together";
        done.map(|_| ()).map_err(|failed| self.failed(doing, &failed))
    }

    /// Parts that nobody will go on with cost what objects cost.
    async fn abandon(&self) {
        let given_up = self.retry.run(|| async {
            let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(&self.key);
            let given_up = request.upload_id(&self.id).send().await;
            given_up.map_err(|failed| self.failed("give an upload up", &failed))
        });
        if let Err(error) = given_up.await {
            tracing::warn!(store = %self.store, %error, "parts of an upload that failed stay in the bucket");
        }
    }
}

/// A body on its way to be cut into parts. It must have exactly the announced length.
struct Cut {
    upload: Arc<Upload>,
    size: u64,
    body: ByteStream,
    rest: Bytes,
    left: u64,
    number: i32,
}

impl Cut {
    async fn next(&mut self, part: u64) -> Result<Option<(i32, Bytes)>, StoreError> {
        let length = part.min(self.left) as usize;
        let mut gathered = BytesMut::with_capacity(length);
        while gathered.len() < length || self.left == 0 {
            if self.rest.is_empty() {
                match self.body.next().await.transpose()? {
                    Some(piece) if self.left == 0 && !piece.is_empty() => return Err(self.wrong("more")),
                    Some(piece) => self.rest = piece,
                    None if self.left == 0 => return Ok(None),
                    None => return Err(self.wrong("fewer")),
                }
                continue;
            }
            if self.left == 0 {
                return Err(self.wrong("more"));
            }
            gathered.extend_from_slice(&self.rest.split_to(self.rest.len().min(length - gathered.len())));
        }
        self.left -= length as u64;
        self.number += 1;
        Ok(Some((self.number, gathered.freeze())))
    }

    fn wrong(&self, which: &str) -> StoreError {
        StoreError::wrong_length(&self.upload.store, &self.upload.name, self.size, which)
    }
}

pub(super) fn too_long(store: &S3Store, name: &str, size: u64) -> StoreError {
    let message = format!("S3 takes no object of {}, only up to {}", ByteCount(size), ByteCount(MAX_OBJECT));
    StoreError::new(StoreErrorKind::Unsupported, &store.id, Some(name), format!("{message}; nothing was written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_object_has_more_parts_than_there_may_be() {
        for size in [1, PART, 156 << 30, (156 << 30) + 1, 1 << 40, MAX_OBJECT] {
            let part = part_bytes(size);
            assert!(size.div_ceil(part) <= MAX_PARTS, "{size}");
            assert!(part >= PART && part.is_multiple_of(1 << 20) && part <= 5 << 30, "{size}");
        }
        assert_eq!(part_bytes(156 << 30), PART);
        assert_eq!((at_once(PART), at_once(2 * PART), at_once(100 * PART)), (3, 1, 1));
    }
}
