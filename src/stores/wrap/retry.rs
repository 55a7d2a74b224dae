//! A store that tries again: exponential pauses with jitter, attempts and time reported in the error.
//!
//! Only what a retry can mend is tried again. A body that breaks off is read on from where it broke, but
//! only under a pin: without one nothing says that the rest belongs to the same object. Writing is never
//! repeated here, its body is gone; removing is, since a pin holds for one object only.

use crate::model::id::StoreId;
use crate::model::time::Timestamp;
use crate::stores::bucket::Bucket;
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::port::{
    ByteStream, ObjectMeta, ObjectSum, Page, Pin, PruningStore, Removed, Store, Thaw, ThawRequest, WritableStore,
};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Bytes after which a break in a body counts as a new trouble with all its tries.
const PROGRESS: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// Pause before the second try; doubles with each further one.
    pub pause: Duration,
    pub longest_pause: Duration,
    /// No try starts later than this after the first.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(5),
            budget: Duration::from_secs(30),
        }
    }
}

/// How far one call has come with its tries.
#[derive(Debug)]
struct Tries {
    policy: RetryPolicy,
    started: Instant,
    made: u32,
}

impl Tries {
    fn start(policy: RetryPolicy) -> Self {
        Self { policy, started: Instant::now(), made: 1 }
    }

    /// Pauses before another try, or gives the error back with what was spent on it.
    async fn again(&mut self, error: StoreError, mendable: bool) -> Result<(), StoreError> {
        if mendable && self.made < self.policy.attempts && self.started.elapsed() < self.policy.budget {
            sleep(self.next_pause()).await;
            self.made += 1;
            return Ok(());
        }
        Err(self.spent(error))
    }

    /// Half of the pause is fixed and half is chance, so that many clients do not return at once.
    fn next_pause(&self) -> Duration {
        let doubled = self.policy.pause.saturating_mul(1 << (self.made - 1).min(16));
        let half = doubled.min(self.policy.longest_pause) / 2;
        let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
        half + half.mul_f64(f64::from(chance) / f64::from(u32::MAX))
    }

    fn spent(&self, mut error: StoreError) -> StoreError {
        if self.made > 1 {
            error.attempts = self.made;
            error.spent = self.started.elapsed();
            let seconds = error.spent.as_secs_f32();
            error.message.push_str(&format!(" (tried {} times in {seconds:.1} s)", error.attempts));
        }
        error
    }
}

impl RetryPolicy {
    /// Runs `call` until it succeeds, fails for good, or tries and time are used up.
    pub async fn run<T, F, Fut>(&self, mut call: F) -> Result<T, StoreError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, StoreError>>,
    {
        let mut tries = Tries::start(*self);
        loop {
            match call().await {
                Ok(done) => return Ok(done),
                Err(error) => {
                    let mendable = error.is_transient();
                    tries.again(error, mendable).await?;
                }
            }
        }
    }
}

#[derive(Debug)]
pub struct Retry<S> {
    inner: Arc<S>,
    policy: RetryPolicy,
}

impl<S: Store> Retry<S> {
    pub fn new(inner: S, policy: RetryPolicy) -> Self {
        Self { inner: Arc::new(inner), policy }
    }
}

#[async_trait::async_trait]
impl<S: Store + 'static> Store for Retry<S> {
    fn id(&self) -> &StoreId {
        self.inner.id()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    /// Starts again only while nothing was given out: pages may come in any order, so a listing that
    /// broke in the middle cannot be taken up by name. Stores retry single pages themselves.
    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>> {
        let start = (self.inner.list(prefix, after), Tries::start(self.policy), false);
        stream::unfold(Some(start), move |state| async move {
            let (mut pages, mut tries, mut given) = state?;
            loop {
                match pages.next().await? {
                    Ok(page) => {
                        given = true;
                        return Some((Ok(page), Some((pages, tries, given))));
                    }
                    Err(error) => {
                        let mendable = !given && error.attempts == 1 && error.is_transient();
                        if let Err(error) = tries.again(error, mendable).await {
                            return Some((Err(error), None));
                        }
                        pages = self.inner.list(prefix, after);
                    }
                }
            }
        })
        .boxed()
    }

    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        self.policy.run(|| self.inner.head(name)).await
    }

    async fn sums(&self, name: &str, pin: &Pin) -> Result<Vec<ObjectSum>, StoreError> {
        self.policy.run(|| self.inner.sums(name, pin)).await
    }

    async fn bucket(&self) -> Result<Option<Bucket>, StoreError> {
        self.policy.run(|| self.inner.bucket()).await
    }

    async fn thaw_state(&self, name: &str, pin: &Pin) -> Result<Thaw, StoreError> {
        self.policy.run(|| self.inner.thaw_state(name, pin)).await
    }

    async fn read_pieces(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        let mut tries = Tries::start(self.policy);
        loop {
            match self.inner.read_pieces(name, range.clone(), pin).await {
                Ok(pieces) => return Ok(pieces),
                Err(error) => {
                    let mendable = error.is_transient() || error.kind == StoreErrorKind::Corrupt;
                    tries.again(error, mendable).await?;
                }
            }
        }
    }

    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        let stream = self.policy.run(|| self.inner.read(name, from, pin)).await?;
        let Some(pin) = pin.cloned() else { return Ok(stream) };
        let reading = Reading {
            inner: Arc::clone(&self.inner),
            name: name.to_owned(),
            pin,
            at: from,
            policy: self.policy,
            trouble: None,
            stream: Some(stream),
        };
        Ok(stream::unfold(Some(reading), |reading| async move {
            let mut reading = reading?;
            match reading.next().await? {
                Ok(piece) => Some((Ok(piece), Some(reading))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed())
    }
}

#[async_trait::async_trait]
impl<S: WritableStore + 'static> WritableStore for Retry<S> {
    async fn create(&self, name: &str, size: u64, body: ByteStream) -> Result<ObjectMeta, StoreError> {
        self.inner.create(name, size, body).await
    }

    async fn thaw(&self, name: &str, pin: &Pin, ask: ThawRequest) -> Result<(), StoreError> {
        self.policy.run(|| self.inner.thaw(name, pin, ask)).await
    }
}

#[async_trait::async_trait]
impl<S: PruningStore + 'static> PruningStore for Retry<S> {
    async fn remove(&self, name: &str, pin: &Pin, now: Timestamp) -> Result<Removed, StoreError> {
        self.policy.run(|| self.inner.remove(name, pin, now)).await
    }
}

/// A pinned body that is read on after a break.
struct Reading<S> {
    inner: Arc<S>,
    name: String,
    pin: Pin,
    at: u64,
    policy: RetryPolicy,
    /// Where the current trouble began, and the tries to get over it.
    trouble: Option<(u64, Tries)>,
    /// `None` after a break, until the rest was asked for.
    stream: Option<ByteStream>,
}

impl<S: Store> Reading<S> {
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        loop {
            let error = match self.stream.as_mut() {
                Some(stream) => match stream.next().await? {
                    Ok(piece) => {
                        self.at += piece.len() as u64;
                        return Some(Ok(piece));
                    }
                    Err(error) => error,
                },
                None => match self.inner.read(&self.name, self.at, Some(&self.pin)).await {
                    Ok(stream) => {
                        self.stream = Some(stream);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            self.stream = None;
            let broke_off = error.kind == StoreErrorKind::Corrupt && self.at < self.pin.size;
            let mendable = error.is_transient() || broke_off;
            if let Err(error) = self.tries().again(error, mendable).await {
                return Some(Err(error));
            }
        }
    }

    /// The tries for a break here: those of the last break, unless the body has come on well since.
    fn tries(&mut self) -> &mut Tries {
        let (at, policy) = (self.at, self.policy);
        let begin = || (at, Tries::start(policy));
        let trouble = self.trouble.get_or_insert_with(begin);
        if at >= trouble.0 + PROGRESS {
            *trouble = begin();
        }
        &mut trouble.1
    }
}
