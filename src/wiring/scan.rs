//! One scan of the whole estate, judged, for commands that print and end.

use super::setup::Setup;
use crate::catalog::{Catalog, Scan, Stores, cache};
use crate::health::{self, HealthReport};
use crate::model::id::{BackupId, StoreId};
use crate::model::proof::ProofRecord;
use crate::proof::{Ledger, Proofs};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The last catalog's file below the state folder.
const CATALOG_FILE: &str = "catalog.json";

/// What one scan gave, judged.
#[derive(Clone, Debug)]
pub struct Scanned {
    pub catalog: Catalog,
    pub health: HealthReport,
    /// Lines of the ledger about backups in the catalog, newest first.
    pub proofs: Vec<ProofRecord>,
    /// What went wrong beside the scan itself, one sentence each: unreadable cache or ledger lines.
    pub problems: Vec<String>,
}

/// Scans every store. Stores that could not be seen are told in the catalog.
pub async fn scan_once(setup: &Setup, progress: &(dyn Fn(&StoreId, u64) + Sync)) -> Scanned {
    let mut problems = Vec::new();
    let file = setup.state_dir.join(CATALOG_FILE);
    let previous = cache::load(&file).unwrap_or_else(|error| {
        problems.push(error.to_string());
        None
    });
    let stores: Stores = setup.stores.iter().map(|(id, store)| (id.clone(), Ok(Arc::clone(store)))).collect();
    let previous = previous.unwrap_or_default();
    let clock = &*setup.clock;
    let catalog = Scan { estate: &setup.estate, stores: &stores, previous: &previous, clock, progress }.all().await;
    problems.extend(cache::save(&file, &catalog).err().map(|error| error.to_string()));

    let ledger = Ledger::in_state(&setup.state_dir).read().unwrap_or_else(|error| {
        problems.push(error.to_string());
        Proofs::default()
    });
    let unread = |problem: &crate::proof::ledger::Problem| {
        format!("line {} of the proof ledger cannot be read: {}", problem.line, problem.what)
    };
    problems.extend(ledger.problems.iter().map(unread));
    let catalog = catalog.with_proofs(&ledger.records);
    let health = health::assess(&catalog, &setup.estate, clock.now());
    let known: BTreeSet<&BackupId> = catalog.backups.iter().map(|backup| &backup.id).collect();
    let mut proofs: Vec<ProofRecord> =
        ledger.records.into_iter().filter(|proof| known.contains(&proof.backup)).collect();
    proofs.sort_by_key(|proof| std::cmp::Reverse(proof.at));
    Scanned { catalog, health, proofs, problems }
}
