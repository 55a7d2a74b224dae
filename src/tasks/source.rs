//! The copy that a plan chose to read: the output of `backup.resolve` and the `source` input of every
//! module that reads a backup.

use super::context::TaskContext;
use crate::catalog::{Catalog, pin};
use crate::model::backup::Copy;
use crate::model::content::Content;
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::task::Failure;
use crate::model::time::Timestamp;
use crate::stores::{ByteStream, Pin, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One copy of one backup, pinned to the bytes that the plan saw. Further facts may travel beside these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub backup: BackupId,
    pub asset: AssetId,
    pub store: StoreId,
    /// Object name, or for a backup that is a folder its prefix ending in `/`; nothing for the root of the store.
    pub path: String,
    pub size_bytes: u64,
    /// Number of objects; 1 for a single object.
    #[serde(default = "one")]
    pub objects: u64,
    /// Identity of the bytes; absent only for a folder, whose members are pinned as they are listed.
    #[serde(default)]
    pub pin: Option<Pin>,
    /// SHA-256 of the stored bytes where a proof or a sidecar gave it; a module that reads the whole object
    /// holds it to this.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Read from the bytes, never from the name.
    pub content: Content,
    pub taken_at: Timestamp,
    /// `backup orders-full-20261121T021500Z from s3 offsite`: one line for people.
    #[serde(default)]
    pub title: String,
}

const fn one() -> u64 {
    1
}

impl Source {
    pub fn is_folder(&self) -> bool {
        is_folder(&self.path)
    }

    /// The store that holds it.
    pub fn store<'a>(&self, cx: &'a TaskContext) -> Result<&'a Arc<dyn Store>, Failure> {
        cx.stores.get(&self.store).ok_or_else(|| {
            Failure::new(format!("store `{}` is not configured", self.store))
                .means("the copy that the plan chose cannot be reached")
                .next("put the store back into the configuration, or make a new plan with another copy")
        })
    }

    /// The copy in a catalog, if that knows it.
    pub fn copy<'c>(&self, catalog: &'c Catalog) -> Option<&'c Copy> {
        let copies = &catalog.get(&self.backup)?.copies;
        copies.iter().find(|copy| copy.store == self.store && copy.path == self.path)
    }

    /// What its bytes are known by: its pin, or for a folder, which has none, what the catalog saw of it.
    pub fn identity(&self, catalog: &Catalog) -> Pin {
        let seen = || self.copy(catalog).map(pin).filter(|seen| seen.size == self.size_bytes);
        let bare = || Pin { size: self.size_bytes, etag: None, modified: None };
        self.pin.clone().or_else(seen).unwrap_or_else(bare)
    }

    /// The stored bytes from the beginning, as they lie in the store, under the pin.
    pub async fn open(&self, cx: &TaskContext) -> Result<ByteStream, Failure> {
        self.store(cx)?.read(&self.path, 0, self.pin.as_ref()).await.map_err(|error| store_failure(&error))
    }
}

/// Whether a backup's path means everything below it; the root of a store has no name.
pub fn is_folder(path: &str) -> bool {
    path.is_empty() || path.ends_with('/')
}

/// A store's error as a failure of the task that read from it.
pub fn store_failure(error: &StoreError) -> Failure {
    let failure = Failure::new(error.to_string()).means("the backup could not be read").next(error.hint());
    if error.attempts > 1 {
        return failure.evidence(format!("tried {} times in {:.1}s", error.attempts, error.spent.as_secs_f64()));
    }
    failure
}
