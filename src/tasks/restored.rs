//! The highest proof that a machine can give: the backup was restored beside the live one, and compared.

use super::context::TaskContext;
use super::source::Source;
use crate::model::proof::{Level, ProofOutcome, ProofRecord};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::proof::Ledger;

/// Writes L5 into the proof ledger. Called only by a module that has itself compared all of it.
pub fn record(cx: &TaskContext, source: &Source, sha256: Option<String>, detail: &str) -> Result<(), Failure> {
    let known = source.identity(&cx.catalog);
    let mark = Some(known.mark()).filter(|mark| !mark.is_empty());
    let record = ProofRecord {
        backup: source.backup.clone(),
        store: source.store.clone(),
        path: source.path.clone(),
        level: Level::L5,
        wanted: Level::L5,
        outcome: ProofOutcome::Passed,
        at: cx.clock.now(),
        actor: cx.actor.clone(),
        tool: format!("relight {}", env!("CARGO_PKG_VERSION")),
        detail: escaped(&format!("{detail}; run {}", cx.owner.run)).into_owned(),
        size_bytes: known.size,
        pin: mark,
        sha256,
        facts: std::collections::BTreeMap::new(),
    };
    Ledger::in_state(&cx.state_dir).append(&record).map_err(|error| {
        Failure::new(error.to_string())
            .means("the comparison was good, but its proof could not be kept")
            .next("make room or mend the state folder, then retry this step")
    })
}
