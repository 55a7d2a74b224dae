//! A store that reads long objects in ranges side by side: one connection to an object store carries only so much.
//!
//! Every range is asked for under the pin of the whole, so that no two of them can be of different objects, and a range
//! that breaks is asked for again by itself. The ranges begin small, so that whoever wants only the head does not pay
//! for more, and grow while they come quickly: on a slow line every range must still end within the limit of a call.

use crate::model::id::StoreId;
use crate::model::time::Timestamp;
use crate::stores::bucket::Bucket;
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::port::{
    ByteStream, ObjectMeta, ObjectSum, Page, Pin, PruningStore, Removed, Store, Thaw, ThawRequest, WritableStore,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// Shorter rests come as one body.
const LONG: u64 = 16 << 20;
const FIRST: u64 = 1 << 20;
const SHORTEST: u64 = 256 << 10;
const LONGEST: u64 = 6 << 20;
/// A range that comes within this time lets the next ones be twice as long; one that takes much longer, half as long.
const QUICK: Duration = Duration::from_secs(2);
/// Ranges that are under way or wait for their turn: with [`LONGEST`], what one reader holds in memory.
const AT_ONCE: usize = 8;

#[derive(Debug)]
pub struct Ahead<S> {
    inner: Arc<S>,
}

impl<S: Store> Ahead<S> {
    pub fn new(inner: S) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

/// The rest of one body, as it is asked for.
#[derive(Debug)]
struct Rest<S> {
    inner: Arc<S>,
    name: String,
    pin: Pin,
    /// Bytes of the next range.
    length: AtomicU64,
}

impl<S: Store> Rest<S> {
    /// The ranges from `from` to the end, in order, each as long as the line is good for when its turn comes.
    fn ranges(self: Arc<Self>, from: u64) -> impl Iterator<Item = Range<u64>> + Send {
        let mut at = from;
        std::iter::from_fn(move || {
            let range = at..self.pin.size.min(at.saturating_add(self.length.load(Ordering::Relaxed)));
            at = range.end;
            (!range.is_empty()).then_some(range)
        })
    }

    /// One range, whole.
    async fn part(self: Arc<Self>, range: Range<u64>) -> Result<Vec<Bytes>, StoreError> {
        let begun = Instant::now();
        let pieces = self.inner.read_pieces(&self.name, range.clone(), Some(&self.pin)).await?;
        let come: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        if come != range.end - range.start {
            let what = format!("bytes {} to {} came back as {come} bytes", range.start, range.end);
            return Err(StoreError::new(StoreErrorKind::Corrupt, self.inner.id(), Some(&self.name), what));
        }
        self.length.store(next_length(come, begun.elapsed()), Ordering::Relaxed);
        Ok(pieces)
    }
}

fn next_length(this: u64, took: Duration) -> u64 {
    let next = if took < QUICK {
        this * 2
    } else if took > QUICK * 4 {
        this / 2
    } else {
        this
    };
    next.clamp(SHORTEST, LONGEST)
}

#[async_trait::async_trait]
impl<S: Store + 'static> Store for Ahead<S> {
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
        self.inner.head(name).await
    }

    async fn sums(&self, name: &str, pin: &Pin) -> Result<Vec<ObjectSum>, StoreError> {
        self.inner.sums(name, pin).await
    }

    async fn bucket(&self) -> Result<Option<Bucket>, StoreError> {
        self.inner.bucket().await
    }

    async fn thaw_state(&self, name: &str, pin: &Pin) -> Result<Thaw, StoreError> {
        self.inner.thaw_state(name, pin).await
    }

    async fn read_pieces(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        self.inner.read_pieces(name, range, pin).await
    }

    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        let Some(pin) = pin.filter(|pin| pin.size.saturating_sub(from) > LONG) else {
            return self.inner.read(name, from, pin).await;
        };
        let (length, id, of) = (AtomicU64::new(FIRST), self.id().clone(), name.to_owned());
        let rest = Arc::new(Rest { inner: Arc::clone(&self.inner), name: name.to_owned(), pin: pin.clone(), length });
        let mut ranges = Arc::clone(&rest).ranges(from);
        // That the object is there, and is the pinned one, is known before a stream is given out.
        let first = Arc::clone(&rest).part(ranges.next().unwrap_or(from..from)).await?;
        // Tasks of their own: they go on while whoever reads is busy with what came before.
        let parts = ranges.map(move |range| AbortOnDropHandle::new(tokio::spawn(Arc::clone(&rest).part(range))));
        let broken = move |error: JoinError| {
            let what = format!("the reading broke: {error}");
            StoreError::new(StoreErrorKind::Unreachable, &id, Some(&of), what)
        };
        let parts = stream::iter(parts).buffered(AT_ONCE).map(move |part| part.map_err(&broken)?);
        Ok(stream::once(async { Ok(first) })
            .chain(parts)
            .map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok)))
            .try_flatten()
            .boxed())
    }
}

#[async_trait::async_trait]
impl<S: WritableStore + 'static> WritableStore for Ahead<S> {
    async fn create(&self, name: &str, size: u64, body: ByteStream) -> Result<ObjectMeta, StoreError> {
        self.inner.create(name, size, body).await
    }

    async fn thaw(&self, name: &str, pin: &Pin, ask: ThawRequest) -> Result<(), StoreError> {
        self.inner.thaw(name, pin, ask).await
    }
}

#[async_trait::async_trait]
impl<S: PruningStore + 'static> PruningStore for Ahead<S> {
    async fn remove(&self, name: &str, pin: &Pin, now: Timestamp) -> Result<Removed, StoreError> {
        self.inner.remove(name, pin, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_grow_on_a_quick_line_and_shrink_on_a_slow_one() {
        assert_eq!(next_length(FIRST, Duration::from_millis(100)), 2 * FIRST);
        assert_eq!(next_length(LONGEST, Duration::from_millis(100)), LONGEST);
        assert_eq!(next_length(FIRST, QUICK * 2), FIRST);
        assert_eq!(next_length(FIRST, QUICK * 5), FIRST / 2);
        assert_eq!(next_length(SHORTEST, QUICK * 50), SHORTEST);
    }
}
