//! What changed between two catalogs, for notices and for the journal.

use super::snapshot::{Catalog, ScanStatus};
use crate::model::backup::Backup;
use crate::model::id::{BackupId, StoreId};
use std::collections::HashMap;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    pub added: Vec<BackupId>,
    pub gone: Vec<BackupId>,
    /// Backups in both, with what is different about them, in words.
    pub changed: Vec<(BackupId, Vec<String>)>,
    /// Stores whose status changed.
    pub stores: Vec<(StoreId, ScanStatus, ScanStatus)>,
}

impl Diff {
    pub fn between(before: &Catalog, after: &Catalog) -> Self {
        let old: HashMap<&BackupId, &Backup> = before.backups.iter().map(|b| (&b.id, b)).collect();
        let new: HashMap<&BackupId, &Backup> = after.backups.iter().map(|b| (&b.id, b)).collect();
        let ids = |list: &[Backup], other: &HashMap<&BackupId, &Backup>| {
            list.iter().filter(|b| !other.contains_key(&b.id)).map(|b| b.id.clone()).collect()
        };
        let changed = after.backups.iter().filter_map(|b| {
            let what = changes(old.get(&b.id)?, b);
            (!what.is_empty()).then(|| (b.id.clone(), what))
        });
        let stores = after.stores.iter().filter_map(|now| {
            let was = before.stores.iter().find(|s| s.id == now.id).map_or(ScanStatus::Pending, |s| s.status);
            (was != now.status).then(|| (now.id.clone(), was, now.status))
        });
        Self {
            added: ids(&after.backups, &old),
            gone: ids(&before.backups, &new),
            changed: changed.collect(),
            stores: stores.collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn changes(before: &Backup, after: &Backup) -> Vec<String> {
    let mut what = Vec::new();
    for copy in &after.copies {
        match before.copies.iter().find(|c| c.store == copy.store && c.path == copy.path) {
            None => what.push(format!("copy in `{}` appeared", copy.store)),
            Some(old) if old.size_bytes != copy.size_bytes => {
                what.push(format!(
                    "copy in `{}` went from {} to {} bytes",
                    copy.store, old.size_bytes, copy.size_bytes
                ));
            }
            Some(old) if old.etag != copy.etag || old.modified_at != copy.modified_at => {
                what.push(format!("copy in `{}` was written again", copy.store));
            }
            Some(old) if old.storage_class != copy.storage_class => {
                what.push(format!("copy in `{}` changed its storage class", copy.store));
            }
            Some(_) => {}
        }
    }
    for copy in &before.copies {
        if !after.copies.iter().any(|c| c.store == copy.store && c.path == copy.path) {
            what.push(format!("copy in `{}` is gone", copy.store));
        }
    }
    if before.complete != after.complete {
        let word = |c| match c {
            Some(true) => "complete",
            Some(false) => "incomplete",
            None => "of unknown completeness",
        };
        what.push(format!("is now {}, was {}", word(after.complete), word(before.complete)));
    }
    let bad = |b: &Backup| b.sidecars.iter().map(|s| s.disagreements.len()).sum::<usize>();
    if bad(before) != bad(after) {
        what.push(format!("sidecars disagree in {} points, before in {}", bad(after), bad(before)));
    }
    what
}
