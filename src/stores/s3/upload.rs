//! A new object, never over an existing one: in one request, or a long one in parts.

use super::S3Store;
use super::client::upload_time_limits;
use super::error::{nonsense, of_request};
use super::parts;
use crate::model::id::StoreId;
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::port::{ByteStream, ObjectMeta};
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::{ByteStream as SdkStream, SdkBody};
use bytes::Bytes;
use futures::StreamExt;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

/// Largest object that is written in one request.
const MAX_SINGLE: u64 = 32 << 20;

pub(super) async fn create(store: &S3Store, name: &str, size: u64, body: ByteStream) -> Result<ObjectMeta, StoreError> {
    let key = store.key(name)?;
    if size > parts::MAX_OBJECT {
        return Err(parts::too_long(store, name, size));
    }
    let body = if size == 0 { ended(store, name, body).await? } else { body };
    // Some servers take no notice of the condition below, so the name is looked at first.
    match store.retry.run(|| store.ask_head(name)).await {
        Ok(_) => return Err(StoreError::taken(&store.id, name)),
        Err(error) if error.kind == StoreErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let sent = if size > MAX_SINGLE {
        parts::create(store, name, &key, size, body).await
    } else {
        at_once(store, name, &key, size, body).await
    };
    sent.map_err(|error| match error.kind {
        StoreErrorKind::Changed => StoreError::taken(&store.id, name),
        _ => error,
    })?;
    let answer = store.retry.run(|| store.answer_to_head(name)).await?;
    let written = store.described(name, &answer)?;
    if written.size != size {
        return Err(nonsense(&store.id, Some(name), "after writing, the object has another size than was sent"));
    }
    store.keeping.holds(store, name, &answer)?;
    Ok(written)
}

async fn at_once(store: &S3Store, name: &str, key: &str, size: u64, body: ByteStream) -> Result<(), StoreError> {
    let broken = Arc::new(Mutex::new(None));
    let body = Announced {
        store: store.id.clone(),
        name: name.to_owned(),
        size,
        left: size,
        body: Mutex::new(body),
        last: None,
        broken: Arc::clone(&broken),
    };
    let sent = store
        .client
        .put_object()
        .bucket(&store.bucket)
        .key(key)
        .if_none_match("*")
        .content_length(size as i64)
        .set_storage_class(store.keeping.class())
        .set_server_side_encryption(store.keeping.sse())
        .set_ssekms_key_id(store.keeping.kms_key())
        .body(SdkStream::new(SdkBody::from_body_1_x(body)))
        .customize()
        .config_override(Builder::new().timeout_config(upload_time_limits(store.waits)))
        .send()
        .await;
    if let Some(error) = broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    sent.map(|_| ()).map_err(|failed| of_request(&store.id, Some(name), "write the object", &failed))
}

/// The body of an empty object: nobody would ask for its pieces, so they are looked for here.
async fn ended(store: &S3Store, name: &str, mut body: ByteStream) -> Result<ByteStream, StoreError> {
    while let Some(piece) = body.next().await {
        if !piece?.is_empty() {
            return Err(StoreError::wrong_length(&store.id, name, 0, "more"));
        }
    }
    Ok(body)
}

/// A body that must have exactly its announced length. The SDK wants bodies to be `Sync`, hence the lock,
/// which nothing ever waits for.
struct Announced {
    store: StoreId,
    name: String,
    size: u64,
    left: u64,
    body: Mutex<ByteStream>,
    /// The last piece, held back until the body has ended: nobody asks for what comes after it.
    last: Option<Bytes>,
    /// What went wrong while the body was made; the SDK would only say that it broke.
    broken: Arc<Mutex<Option<StoreError>>>,
}

impl Announced {
    fn fail(&self, error: StoreError) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Announced {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        loop {
            let next = {
                let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
                ready!(body.poll_next_unpin(cx))
            };
            let (size, left) = (self.size, self.left);
            let wrong = |which| StoreError::wrong_length(&self.store, &self.name, size, which);
            return match next {
                Some(Ok(piece)) if piece.is_empty() => continue,
                Some(Ok(piece)) if piece.len() as u64 > left => self.fail(wrong("more")),
                Some(Ok(piece)) if piece.len() as u64 == left => {
                    self.left = 0;
                    self.last = Some(piece);
                    continue;
                }
                Some(Ok(piece)) => {
                    self.left -= piece.len() as u64;
                    Poll::Ready(Some(Ok(Frame::data(piece))))
                }
                Some(Err(error)) => self.fail(error),
                None if left > 0 => self.fail(wrong("fewer")),
                None => Poll::Ready(self.last.take().map(|piece| Ok(Frame::data(piece)))),
            };
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left + self.last.as_ref().map_or(0, |last| last.len() as u64))
    }
}
