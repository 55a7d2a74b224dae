//! Objects in memory: for tests, and for whoever needs a store that cannot fail by itself.

use super::error::StoreError;
use super::name::{bad_name, key_fault};
use super::port::{ByteStream, MAX_RANGE, ObjectMeta, Page, Pin, PruningStore, Removed, Store, Thaw, WritableStore};
use crate::model::id::StoreId;
use crate::model::time::Timestamp;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

const PAGE: usize = 1000;
const CHUNK: usize = 64 * 1024;

#[derive(Debug)]
struct Held {
    bytes: Bytes,
    meta: ObjectMeta,
}

#[derive(Debug, Default)]
struct Shelf {
    objects: BTreeMap<String, Held>,
    /// How the bytes of objects can be had that are not readable at once.
    archived: BTreeMap<String, Thaw>,
    /// Writes so far; gives every version its own entity tag and instant.
    writes: u32,
}

#[derive(Debug)]
pub struct MemoryStore {
    id: StoreId,
    shelf: Mutex<Shelf>,
}

impl MemoryStore {
    pub fn new(id: impl Into<StoreId>) -> Self {
        Self { id: id.into(), shelf: Mutex::default() }
    }

    /// Puts or replaces an object; its instant is some seconds after the epoch, later with each write.
    pub fn put(&self, name: &str, bytes: impl Into<Bytes>) -> ObjectMeta {
        self.write(name, bytes.into(), None)
    }

    /// Puts or replaces an object with the given modification time.
    pub fn put_at(&self, name: &str, bytes: impl Into<Bytes>, modified: Timestamp) -> ObjectMeta {
        self.write(name, bytes.into(), Some(modified))
    }

    /// As if somebody else had removed it.
    pub fn lose(&self, name: &str) -> bool {
        self.shelf().objects.remove(name).is_some()
    }

    /// As if the object were in an archive.
    pub fn archive(&self, name: &str, state: Thaw) {
        self.shelf().archived.insert(name.to_owned(), state);
    }

    fn write(&self, name: &str, bytes: Bytes, modified: Option<Timestamp>) -> ObjectMeta {
        self.shelf().write(name, bytes, modified)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self, name: &str, pin: Option<&Pin>) -> Result<(Bytes, ObjectMeta), StoreError> {
        if let Some(fault) = key_fault(name) {
            return Err(bad_name(&self.id, name, fault));
        }
        let shelf = self.shelf();
        let held = shelf.objects.get(name).ok_or_else(|| StoreError::missing(&self.id, name))?;
        if pin.is_some_and(|pin| !pin.holds(&held.meta)) {
            return Err(StoreError::changed(&self.id, name));
        }
        Ok((held.bytes.clone(), held.meta.clone()))
    }
}

impl Shelf {
    fn write(&mut self, name: &str, bytes: Bytes, modified: Option<Timestamp>) -> ObjectMeta {
        self.writes += 1;
        let meta = ObjectMeta {
            name: name.to_owned(),
            size: bytes.len() as u64,
            modified: modified.or_else(|| Timestamp::from_timestamp(i64::from(self.writes), 0)),
            etag: Some(format!("memory-{}", self.writes)),
            storage_class: None,
        };
        self.objects.insert(name.to_owned(), Held { bytes, meta: meta.clone() });
        meta
    }
}

#[async_trait::async_trait]
impl Store for MemoryStore {
    fn id(&self) -> &StoreId {
        &self.id
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>> {
        let start = after.map(str::to_owned);
        stream::unfold(Some(start), move |at| async move {
            let at = at?;
            let shelf = self.shelf();
            let from = match &at {
                Some(after) if after.as_str() >= prefix => Bound::Excluded(after.as_str()),
                _ => Bound::Included(prefix),
            };
            let objects: Vec<ObjectMeta> = shelf
                .objects
                .range::<str, _>((from, Bound::Unbounded))
                .take_while(|(name, _)| name.starts_with(prefix))
                .take(PAGE)
                .map(|(_, held)| held.meta.clone())
                .collect();
            let next = (objects.len() == PAGE).then(|| objects.last().map(|o| o.name.clone()));
            (!objects.is_empty()).then(|| (Ok(Page { objects, skipped: Vec::new() }), next))
        })
        .boxed()
    }

    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        self.held(name, None).map(|(_, meta)| meta)
    }

    async fn thaw_state(&self, name: &str, pin: &Pin) -> Result<Thaw, StoreError> {
        self.held(name, Some(pin))?;
        Ok(self.shelf().archived.get(name).cloned().unwrap_or(Thaw::Readable))
    }

    async fn read_pieces(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        if range.end.saturating_sub(range.start) > MAX_RANGE {
            return Err(StoreError::range_too_long(&self.id, name));
        }
        let (bytes, _) = self.held(name, pin)?;
        let end = range.end.min(bytes.len() as u64);
        let start = range.start.min(end);
        Ok(vec![bytes.slice(start as usize..end as usize)])
    }

    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        let (bytes, _) = self.held(name, pin)?;
        let rest = bytes.slice(from.min(bytes.len() as u64) as usize..);
        Ok(stream::unfold(rest, |mut rest| async move {
            let chunk = rest.split_to(rest.len().min(CHUNK));
            (!chunk.is_empty()).then_some((Ok(chunk), rest))
        })
        .boxed())
    }
}

#[async_trait::async_trait]
impl WritableStore for MemoryStore {
    async fn create(&self, name: &str, size: u64, mut body: ByteStream) -> Result<ObjectMeta, StoreError> {
        if let Some(fault) = key_fault(name) {
            return Err(bad_name(&self.id, name, fault));
        }
        if self.shelf().objects.contains_key(name) {
            return Err(StoreError::taken(&self.id, name));
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            if (bytes.len() + chunk.len()) as u64 > size {
                return Err(StoreError::wrong_length(&self.id, name, size, "more"));
            }
            bytes.extend_from_slice(&chunk);
        }
        if bytes.len() as u64 != size {
            return Err(StoreError::wrong_length(&self.id, name, size, "fewer"));
        }
        let mut shelf = self.shelf();
        if shelf.objects.contains_key(name) {
            return Err(StoreError::taken(&self.id, name));
        }
        Ok(shelf.write(name, bytes.freeze(), None))
    }
}

#[async_trait::async_trait]
impl PruningStore for MemoryStore {
    async fn remove(&self, name: &str, pin: &Pin, _now: Timestamp) -> Result<Removed, StoreError> {
        if let Some(fault) = key_fault(name) {
            return Err(bad_name(&self.id, name, fault));
        }
        let mut shelf = self.shelf();
        match shelf.objects.get(name) {
            None => Err(StoreError::missing(&self.id, name)),
            Some(held) if !pin.holds(&held.meta) => Err(StoreError::changed(&self.id, name)),
            Some(_) => {
                shelf.objects.remove(name);
                Ok(Removed::Gone)
            }
        }
    }
}
