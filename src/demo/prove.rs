//! Proofs of the sandbox's newest backups, by really verifying them.

use crate::catalog::Catalog;
use crate::model::backup::Backup;
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::proof::ProofOutcome;
use crate::model::task::Values;
use crate::proof::Ledger;
use crate::session::Parts;
use crate::tasks::{Cancel, Owner, TaskFeed};
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::Arc;

/// How many of an asset's newest backups are verified, in each of their stores.
const NEWEST: usize = 2;
const AT_ONCE: usize = 4;

/// Verifies the newest backups of every asset. Returns a sentence for each check that was not finished. A
/// backup that is bad, or cannot be proven deeper, is no such case: it is what the ledger then says.
pub(super) async fn newest_backups(parts: &Parts, catalog: Arc<Catalog>) -> Vec<String> {
    let Some(verify) = parts.modules.get("backup.verify") else {
        return vec!["Nothing is proven: this program has no module that verifies backups.".to_owned()];
    };
    let wanted = wanted(&catalog);
    let checks = wanted.iter().map(|(backup, store)| {
        let owner = Owner::new("demo", "verify");
        let cx = parts.task_context(Arc::clone(&catalog), owner, TaskFeed::silent(), Cancel::default());
        let mut input = Values::new();
        for (name, value) in [("backup", backup.as_str()), ("store", store.as_str()), ("level", "L4")] {
            input.insert(name.to_owned(), value.into());
        }
        async move { verify.run(&cx, &input).await }
    });
    // What each found is in the ledger; that is looked at instead of the outcomes.
    futures::stream::iter(checks).buffer_unordered(AT_ONCE).for_each(|_| std::future::ready(())).await;
    let proofs = match Ledger::in_state(&parts.state_dir).read() {
        Ok(proofs) => proofs.records,
        Err(error) => return vec![error.to_string()],
    };
    let proven = |backup: &BackupId, store: &StoreId| {
        let mut about = proofs.iter().filter(|proof| &proof.backup == backup && &proof.store == store);
        about.any(|proof| proof.outcome != ProofOutcome::Unknown)
    };
    let missing = wanted.iter().filter(|(backup, store)| !proven(backup, store));
    missing.map(|(backup, store)| format!("The copy of {backup} in {store} could not be verified.")).collect()
}

fn wanted(catalog: &Catalog) -> Vec<(BackupId, StoreId)> {
    let mut seen: HashMap<&AssetId, usize> = HashMap::new();
    let newest = catalog.backups.iter().filter(|backup| {
        let count = seen.entry(&backup.asset).or_default();
        *count += 1;
        *count <= NEWEST
    });
    let copies = |backup: &Backup| {
        let copies = backup.copies.iter().map(|copy| (backup.id.clone(), copy.store.clone()));
        copies.collect::<Vec<_>>()
    };
    newest.flat_map(copies).collect()
}
