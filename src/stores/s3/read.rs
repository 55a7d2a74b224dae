//! Reading an object's bytes, checked against what was asked for and against the pin.

use super::error::{nonsense, of_body, of_request};
use super::{S3Store, bare_tag, instant};
use crate::model::id::StoreId;
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::port::{ByteStream, MAX_RANGE, ObjectMeta, Pin};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream as SdkStream;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use std::ops::Range;
use tokio::time::timeout;

pub(super) async fn read_pieces(
    store: &S3Store,
    name: &str,
    range: Range<u64>,
    pin: Option<&Pin>,
) -> Result<Vec<Bytes>, StoreError> {
    let length = range.end.saturating_sub(range.start);
    if length > MAX_RANGE {
        return Err(StoreError::range_too_long(&store.id, name));
    }
    if length == 0 || pin.is_some_and(|pin| range.start >= pin.size) {
        return nothing(store, name, pin).await.map(|()| Vec::new());
    }
    let asked = format!("bytes={}-{}", range.start, range.end - 1);
    let Some(body) = get(store, name, Some(asked), range.start, pin).await? else { return Ok(Vec::new()) };
    if body.left > length {
        return Err(nonsense(&store.id, Some(name), "it is longer than the range that was asked for"));
    }
    let (mut come, mut pieces) = (store.rooms.take(body.left as usize), body.pieces());
    let limit = store.waits.attempt;
    loop {
        // Watched here piece by piece: the caller sees the range only as a whole.
        match timeout(limit, pieces.next()).await {
            Ok(Some(piece)) => come.push(&piece?),
            Ok(None) => return Ok(come.pieces()),
            Err(_) => {
                let message = format!("the transfer stood still for {} s", limit.as_secs_f32());
                return Err(StoreError::new(StoreErrorKind::Unreachable, &store.id, Some(name), message));
            }
        }
    }
}

pub(super) async fn read(store: &S3Store, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
    if pin.is_some_and(|pin| from >= pin.size) {
        nothing(store, name, pin).await?;
        return Ok(stream::empty().boxed());
    }
    let asked = (from > 0).then(|| format!("bytes={from}-"));
    Ok(match get(store, name, asked, from, pin).await? {
        Some(body) => body.pieces(),
        None => stream::empty().boxed(),
    })
}

/// For reads of no bytes: the object must be there all the same, and be the pinned one.
async fn nothing(store: &S3Store, name: &str, pin: Option<&Pin>) -> Result<(), StoreError> {
    let now = store.ask_head(name).await?;
    if pin.is_some_and(|pin| !pin.holds(&now)) {
        return Err(StoreError::changed(&store.id, name));
    }
    Ok(())
}

/// A body with the number of bytes that it must have.
struct Body {
    store: StoreId,
    name: String,
    left: u64,
    stream: SdkStream,
}

/// `None` where the object has no bytes at `from` or after it.
async fn get(
    store: &S3Store,
    name: &str,
    range: Option<String>,
    from: u64,
    pin: Option<&Pin>,
) -> Result<Option<Body>, StoreError> {
    let key = store.key(name)?;
    let tag = pin.and_then(|pin| pin.etag.as_ref()).map(|tag| format!("\"{tag}\""));
    let request = store.client.get_object().bucket(&store.bucket).key(key);
    let ranged = range.is_some();
    let answer = match request.set_range(range).set_if_match(tag).send().await {
        Ok(answer) => answer,
        Err(failed) if failed.raw_response().is_some_and(|raw| raw.status().as_u16() == 416) => {
            nothing(store, name, pin).await?;
            return Ok(None);
        }
        Err(failed) => {
            let error = of_request(&store.id, Some(name), "read the object", &failed);
            return Err(match error.kind {
                StoreErrorKind::Changed => StoreError::changed(&store.id, name),
                _ => error,
            });
        }
    };
    let (left, whole) = extent(&answer, from, ranged).map_err(|what| nonsense(&store.id, Some(name), what))?;
    let now = ObjectMeta {
        name: name.to_owned(),
        size: whole,
        modified: answer.last_modified().and_then(instant),
        etag: answer.e_tag().map(bare_tag),
        storage_class: None,
    };
    // Some servers take no notice of the condition that was sent.
    if pin.is_some_and(|pin| !pin.holds(&now)) {
        return Err(StoreError::changed(&store.id, name));
    }
    Ok(Some(Body { store: store.id.clone(), name: name.to_owned(), left, stream: answer.body }))
}

/// How many bytes come, and how many the whole object has.
fn extent(answer: &GetObjectOutput, from: u64, ranged: bool) -> Result<(u64, u64), &'static str> {
    let length = answer.content_length().and_then(|l| u64::try_from(l).ok()).ok_or("it gives no length")?;
    let Some(range) = answer.content_range() else {
        return if ranged { Err("it takes no notice of the range that was asked for") } else { Ok((length, length)) };
    };
    let (first, last, whole) = content_range(range).ok_or("its range cannot be read")?;
    if first != from || last < first || last >= whole || last - first + 1 != length {
        return Err("its range is not the one that was asked for");
    }
    Ok((length, whole))
}

/// Reads `bytes 0-99/1234`.
fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, whole) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, whole.parse().ok()?))
}

impl Body {
    fn pieces(self) -> ByteStream {
        stream::unfold(Some(self), |body| async move {
            let mut body = body?;
            match body.next().await? {
                Ok(piece) => Some((Ok(piece), Some(body))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        let wrong = |what: String| StoreError::new(StoreErrorKind::Corrupt, &self.store, Some(&self.name), what);
        match self.stream.next().await {
            Some(Ok(piece)) if piece.len() as u64 > self.left => {
                Some(Err(wrong("the transfer brings more bytes than it announced".to_owned())))
            }
            Some(Ok(piece)) => {
                self.left -= piece.len() as u64;
                Some(Ok(piece))
            }
            Some(Err(error)) => Some(Err(of_body(&self.store, &self.name, &error))),
            None if self.left > 0 => Some(Err(wrong(format!("the transfer ended {} bytes early", self.left)))),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::content_range;

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 5-9/100"), Some((5, 9, 100)));
        assert_eq!(content_range("bytes 5-9/*"), None);
        assert_eq!(content_range("5-9/100"), None);
    }
}
