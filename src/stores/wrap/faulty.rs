//! A store with scripted faults, for tests and drills of what the program does when storage fails.

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
use std::collections::HashMap;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    List,
    Head,
    ReadRange,
    Read,
    Create,
    Remove,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers with an error of this kind.
    Fail(StoreErrorKind),
    /// Works, but only after this time.
    Late(Duration),
    /// Never answers.
    Hang,
    /// A listing fails after so many pages, a stream breaks off after so many bytes.
    BreakAfter(u64),
    /// A listing or stream stands still for ever after so many pages or bytes.
    StallAfter(u64),
}

#[derive(Debug, Default)]
struct Script {
    next: HashMap<Operation, VecDeque<Option<Fault>>>,
    always: HashMap<Operation, Fault>,
    calls: HashMap<Operation, u32>,
}

#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    script: Mutex<Script>,
}

impl<S> Faulty<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, script: Mutex::default() }
    }

    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The next calls of `operation` meet these faults, one each; `None` lets one call through.
    pub fn next(&self, operation: Operation, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.script().next.entry(operation).or_default().extend(faults);
    }

    /// Every call of `operation` meets this fault once the scripted ones are used up; `None` ends that.
    pub fn always(&self, operation: Operation, fault: Option<Fault>) {
        let mut script = self.script();
        match fault {
            Some(fault) => script.always.insert(operation, fault),
            None => script.always.remove(&operation),
        };
    }

    /// How often `operation` was called.
    pub fn calls(&self, operation: Operation) -> u32 {
        self.script().calls.get(&operation).copied().unwrap_or(0)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, operation: Operation) -> Option<Fault> {
        let mut script = self.script();
        *script.calls.entry(operation).or_default() += 1;
        match script.next.get_mut(&operation).and_then(VecDeque::pop_front) {
            Some(scripted) => scripted,
            None => script.always.get(&operation).cloned(),
        }
    }
}

impl<S: Store> Faulty<S> {
    /// Lets the call through, fails it, or holds it up.
    async fn meet(&self, operation: Operation, name: &str) -> Result<Option<Fault>, StoreError> {
        match self.fault(operation) {
            Some(Fault::Fail(kind)) => Err(scripted(self.inner.id(), Some(name), kind)),
            Some(Fault::Late(by)) => {
                tokio::time::sleep(by).await;
                Ok(None)
            }
            Some(Fault::Hang) => std::future::pending().await,
            other => Ok(other),
        }
    }
}

fn scripted(store: &StoreId, name: Option<&str>, kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, store, name, "a scripted fault")
}

/// `items`, broken or stalled once as much as the fault says has passed; `cut` shortens an item to what may
/// pass and tells what is left.
fn faulted<'a, T: Send + 'a>(
    items: BoxStream<'a, Result<T, StoreError>>,
    fault: Option<&Fault>,
    broken: StoreError,
    cut: fn(T, u64) -> (T, u64),
) -> BoxStream<'a, Result<T, StoreError>> {
    let (left, stall) = match fault {
        Some(Fault::BreakAfter(left)) => (*left, false),
        Some(Fault::StallAfter(left)) => (*left, true),
        _ => return items,
    };
    stream::unfold(Some((items, left, broken)), move |state| async move {
        let (mut items, left, broken) = state?;
        if left == 0 {
            if stall {
                std::future::pending::<()>().await;
            }
            return Some((Err(broken), None));
        }
        match items.next().await? {
            Ok(item) => {
                let (item, left) = cut(item, left);
                Some((Ok(item), Some((items, left, broken))))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

#[async_trait::async_trait]
impl<S: Store> Store for Faulty<S> {
    fn id(&self) -> &StoreId {
        self.inner.id()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>> {
        stream::once(async move {
            match self.fault(Operation::List) {
                Some(Fault::Fail(kind)) => {
                    stream::once(async move { Err(scripted(self.inner.id(), None, kind)) }).boxed()
                }
                Some(Fault::Hang) => stream::pending().boxed(),
                Some(Fault::Late(by)) => {
                    tokio::time::sleep(by).await;
                    self.inner.list(prefix, after)
                }
                fault => {
                    let broken = scripted(self.inner.id(), None, StoreErrorKind::Unreachable);
                    faulted(self.inner.list(prefix, after), fault.as_ref(), broken, |page, left| (page, left - 1))
                }
            }
        })
        .flatten()
        .boxed()
    }

    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        self.meet(Operation::Head, name).await?;
        self.inner.head(name).await
    }

    async fn sums(&self, name: &str, pin: &Pin) -> Result<Vec<ObjectSum>, StoreError> {
        self.meet(Operation::Head, name).await?;
        self.inner.sums(name, pin).await
    }

    async fn bucket(&self) -> Result<Option<Bucket>, StoreError> {
        self.inner.bucket().await
    }

    async fn thaw_state(&self, name: &str, pin: &Pin) -> Result<Thaw, StoreError> {
        self.meet(Operation::Head, name).await?;
        self.inner.thaw_state(name, pin).await
    }

    async fn read_pieces(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        self.meet(Operation::ReadRange, name).await?;
        self.inner.read_pieces(name, range, pin).await
    }

    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        let fault = self.meet(Operation::Read, name).await?;
        let stream = self.inner.read(name, from, pin).await?;
        let broken = scripted(self.inner.id(), Some(name), StoreErrorKind::Corrupt);
        Ok(faulted(stream, fault.as_ref(), broken, |mut piece: Bytes, left| {
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left - piece.len() as u64;
            (piece, left)
        }))
    }
}

#[async_trait::async_trait]
impl<S: WritableStore> WritableStore for Faulty<S> {
    async fn create(&self, name: &str, size: u64, body: ByteStream) -> Result<ObjectMeta, StoreError> {
        self.meet(Operation::Create, name).await?;
        self.inner.create(name, size, body).await
    }

    async fn thaw(&self, name: &str, pin: &Pin, ask: ThawRequest) -> Result<(), StoreError> {
        self.meet(Operation::Create, name).await?;
        self.inner.thaw(name, pin, ask).await
    }
}

#[async_trait::async_trait]
impl<S: PruningStore> PruningStore for Faulty<S> {
    async fn remove(&self, name: &str, pin: &Pin, now: Timestamp) -> Result<Removed, StoreError> {
        self.meet(Operation::Remove, name).await?;
        self.inner.remove(name, pin, now).await
    }
}
