//! The proof ledger laid over a catalog: a proof of other bytes is no proof.

use super::known::pin;
use super::snapshot::Catalog;
use crate::model::backup::Copy;
use crate::model::proof::{ProofOutcome, ProofRecord};
use std::collections::HashMap;

impl Catalog {
    /// This catalog with, for each backup, the newest record that is about the very bytes of one of its
    /// copies. A check that could not be finished says nothing and yields to any that could.
    #[must_use]
    pub fn with_proofs(mut self, records: &[ProofRecord]) -> Self {
        let mut by_place: HashMap<(&str, &str), Vec<&ProofRecord>> = HashMap::new();
        for record in records {
            by_place.entry((record.store.as_str(), &record.path)).or_default().push(record);
        }
        for backup in &mut self.backups {
            let same_bytes = backup.copies.iter().flat_map(|copy| {
                let records = by_place.get(&(copy.store.as_str(), copy.path.as_str()));
                records.into_iter().flatten().copied().filter(|record| is_about(record, copy))
            });
            let best = same_bytes.max_by_key(|r| (r.outcome != ProofOutcome::Unknown, r.at));
            backup.proof = best.cloned().map(Box::new);
        }
        self
    }
}

/// Whether a record is about the very bytes that lie there now.
pub fn is_about(record: &ProofRecord, copy: &Copy) -> bool {
    let mark = pin(copy).mark();
    record.size_bytes == copy.size_bytes && !mark.is_empty() && record.pin.as_deref() == Some(mark.as_str())
}
