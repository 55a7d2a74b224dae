//! A folder as a place of entries and registers.
//!
//! An entry is a file that is linked in place without replacing anything. A register is a folder with one
//! file per version: to replace version 7 is to create version 8, which one of several can do. That rests on
//! exclusive creation alone, which network file systems promise too; locks, which some of them do not, are
//! not used. A client that caches listings may for some seconds read a version that is gone: it then fails to
//! create the next one, or finds a higher one beside its own.

use super::{LocalStore, io_error};
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::place::{MAX_ENTRY, MAX_NAMES, MAX_REGISTER, Register, SharedPlace, Tag};
use crate::stores::port::{Store as _, WritableStore as _};
use bytes::Bytes;
use futures::{StreamExt as _, stream};

/// Old versions that stay, for whoever reads at this moment.
const KEPT: u64 = 3;

#[derive(Clone, Debug)]
pub struct FolderPlace {
    store: LocalStore,
}

impl FolderPlace {
    pub fn new(store: LocalStore) -> Self {
        Self { store }
    }

    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let size = bytes.len() as u64;
        self.store.create(name, size, stream::iter([Ok(bytes)]).boxed()).await.map(|_| ())
    }

    /// Bounded by what a listing may give.
    async fn names(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let (mut names, mut pages) = (Vec::new(), self.store.list(prefix, None));
        while let Some(page) = pages.next().await {
            names.extend(page?.objects.into_iter().map(|object| object.name));
            if names.len() > MAX_NAMES {
                let what = format!("more than {MAX_NAMES} names lie below `{prefix}`");
                return Err(StoreError::new(StoreErrorKind::Other, self.store.id(), None, what));
            }
        }
        names.sort();
        Ok(names)
    }

    async fn versions(&self, name: &str) -> Result<Vec<u64>, StoreError> {
        let prefix = format!("{name}/");
        let names = self.names(&prefix).await?;
        Ok(names.iter().filter_map(|found| found.strip_prefix(&prefix)?.parse().ok()).collect())
    }

    async fn bytes(&self, name: &str, most: u64) -> Result<Bytes, StoreError> {
        let bytes = self.store.read_range(name, 0..most + 1, None).await?;
        if bytes.len() as u64 > most {
            let what = format!("it is longer than the {most} bytes that it can have");
            return Err(StoreError::new(StoreErrorKind::Corrupt, self.store.id(), Some(name), what));
        }
        Ok(bytes)
    }

    async fn remove(&self, name: String) -> Result<(), StoreError> {
        let named = name.clone();
        self.store
            .aside(Some(&named), move |store, root| {
                root.remove_file(&name).map_err(|e| io_error(store.id(), Some(&name), "an old version", &e))
            })
            .await
    }
}

fn version(name: &str, number: u64) -> String {
    format!("{name}/{number:020}")
}

#[async_trait::async_trait]
impl SharedPlace for FolderPlace {
    fn location(&self) -> String {
        self.store.location()
    }

    async fn create(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        self.put(name, bytes).await
    }

    async fn read(&self, name: &str) -> Result<Bytes, StoreError> {
        self.bytes(name, MAX_ENTRY).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.names(prefix).await
    }

    async fn register(&self, name: &str) -> Result<Option<Register>, StoreError> {
        let Some(newest) = self.versions(name).await?.into_iter().max() else { return Ok(None) };
        let bytes = self.bytes(&version(name, newest), MAX_REGISTER).await?;
        Ok(Some(Register { bytes, tag: Tag(newest.to_string()) }))
    }

    async fn swap(&self, name: &str, old: Option<&Tag>, bytes: Bytes) -> Result<Tag, StoreError> {
        let changed = || StoreError::changed(self.store.id(), name);
        let old = match old {
            None => 0,
            Some(tag) => tag.0.parse::<u64>().map_err(|_| changed())?,
        };
        if self.versions(name).await?.into_iter().max().unwrap_or(0) != old {
            return Err(changed());
        }
        let mine = version(name, old + 1);
        match self.put(&mine, bytes).await {
            Err(error) if error.kind == StoreErrorKind::AlreadyExists => return Err(changed()),
            other => other?,
        }
        // Whoever removes a version has made a higher one before: a version that was created where an old
        // one had been removed is found out here.
        let versions = self.versions(name).await?;
        if versions.iter().any(|version| *version > old + 1) {
            // The higher one counts with it or without it.
            let _ = self.remove(mine).await;
            return Err(changed());
        }
        for gone in versions.into_iter().filter(|version| version + KEPT <= old) {
            // What cannot be removed only takes room.
            let _ = self.remove(version(name, gone)).await;
        }
        Ok(Tag((old + 1).to_string()))
    }

    async fn registers(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let mut names: Vec<String> = self
            .names(prefix)
            .await?
            .into_iter()
            .filter_map(|name| name.rsplit_once('/').map(|(register, _)| register.to_owned()))
            .collect();
        names.dedup();
        Ok(names)
    }
}
