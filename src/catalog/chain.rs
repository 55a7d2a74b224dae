//! Incrementals and the backups they build on.

use super::sighting::base_name;
use crate::model::backup::{Backup, BackupKind};
use crate::model::id::{AssetId, BackupId};
use std::collections::HashMap;

/// Finds, for each link, the backup of the same asset that the base's name means. What is not found is
/// left without a base: a broken chain.
pub(super) fn resolve(backups: &mut [Backup]) {
    if backups.iter().all(|b| b.chain.is_none()) {
        return;
    }
    let mut by_name: HashMap<(AssetId, String), BackupId> = HashMap::new();
    for backup in backups.iter().filter(|b| b.kind != BackupKind::Log) {
        for copy in &backup.copies {
            let key = (backup.asset.clone(), base_name(&copy.path).to_owned());
            by_name.entry(key).or_insert_with(|| backup.id.clone());
        }
    }
    for backup in backups {
        let (asset, own) = (&backup.asset, &backup.id);
        if let Some(link) = &mut backup.chain {
            let name = base_name(&link.base_name).to_owned();
            // A backup that names itself as its base has none.
            link.base = by_name.get(&(asset.clone(), name)).filter(|base| *base != own).cloned();
        }
    }
}
