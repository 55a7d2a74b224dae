//! Proofs of the sandbox's newest backups, by really verifying them.

use crate::catalog::Catalog;
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::task::{TaskOutcome, Values};
use crate::session::Parts;
use crate::tasks::{Cancel, Owner, TaskFeed};
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::Arc;

/// How many of an asset's newest backups are verified, in each of their stores.
const NEWEST: usize = 2;
const AT_ONCE: usize = 4;

/// Verifies the newest backups of every asset. Returns a sentence for each check that could not be
/// finished; a backup that is found bad is no such case, it is what the ledger then says.
pub(super) async fn newest_backups(parts: &Parts, catalog: Arc<Catalog>) -> Vec<String> {
    let Some(verify) = parts.modules.get("backup.verify") else {
        return vec!["Nothing is proven: this program has no module that verifies backups.".to_owned()];
    };
    let checks = wanted(&catalog).into_iter().map(|(backup, store)| {
        let cx = parts.task_context(
            Arc::clone(&catalog),
            Owner::new("demo", "verify"),
            TaskFeed::silent(),
            Cancel::default(),
        );
        async move {
            let mut input = Values::new();
            for (name, value) in [("backup", backup.as_str()), ("store", store.as_str()), ("level", "L4")] {
                input.insert(name.to_owned(), value.into());
            }
            match verify.run(&cx, &input).await {
                TaskOutcome::Unknown { failure } => Some(format!("{backup} in {store} was not verified: {failure}")),
                TaskOutcome::Done { .. } | TaskOutcome::Failed { .. } | TaskOutcome::Cancelled { .. } => None,
            }
        }
    });
    futures::stream::iter(checks).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await
}

fn wanted(catalog: &Catalog) -> Vec<(BackupId, StoreId)> {
    let mut seen: HashMap<&AssetId, usize> = HashMap::new();
    let newest = catalog.backups.iter().filter(|backup| {
        let count = seen.entry(&backup.asset).or_default();
        *count += 1;
        *count <= NEWEST
    });
    newest.flat_map(|backup| backup.copies.iter().map(|copy| (backup.id.clone(), copy.store.clone()))).collect()
}
