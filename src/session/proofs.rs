//! The proof ledger as the session sees it.

use super::news::News;
use super::state::State;
use crate::catalog::Catalog;
use crate::health::Severity;
use crate::model::id::BackupId;
use crate::model::proof::ProofRecord;
use crate::proof::{Ledger, Proofs};
use std::collections::HashSet;

impl State {
    /// Reads the ledger anew, beside the loop: someone may have written to it.
    pub fn read_proofs(&self) {
        let folder = self.parts.state_dir.clone();
        let news = self.news.clone();
        tokio::task::spawn_blocking(move || {
            let proofs = Ledger::in_state(&folder).read().map_err(|error| error.to_string());
            // The loop is gone only when the program ends.
            let _ = news.blocking_send(News::Proofs(Box::new(proofs)));
        });
    }

    pub fn proofs_read(&mut self, proofs: Result<Proofs, String>) {
        match proofs {
            Ok(proofs) => {
                for line in unread_lines(&proofs) {
                    self.stands(
                        &line,
                        Severity::Warning,
                        &line,
                        "Move the line out of the file by hand to be rid of this.",
                    );
                }
                self.notices.cleared("reading the ledger");
                self.ledger = proofs.records;
                self.show_catalog((*self.view.catalog).clone(), self.view.catalog_from_disk);
            }
            Err(why) => self.stands(
                "reading the ledger",
                Severity::Unknown,
                &format!("Nobody can say what is proven: {why}."),
                "Check the state folder's permissions.",
            ),
        }
    }
}

/// The ledger's lines about backups of the catalog, newest first.
pub(super) fn shown(catalog: &Catalog, ledger: &[ProofRecord]) -> Vec<ProofRecord> {
    let known: HashSet<&BackupId> = catalog.backups.iter().map(|backup| &backup.id).collect();
    let mut shown: Vec<ProofRecord> = ledger.iter().filter(|record| known.contains(&record.backup)).cloned().collect();
    // Of two lines of the same instant the later one is the newer one.
    shown.reverse();
    shown.sort_by_key(|record| std::cmp::Reverse(record.at));
    shown
}

/// A sentence per line of the ledger that is no record.
pub(super) fn unread_lines(proofs: &Proofs) -> Vec<String> {
    let sentence = |problem: &crate::proof::ledger::Problem| {
        format!("Line {} of the proof ledger cannot be read: {}.", problem.line, problem.what)
    };
    proofs.problems.iter().map(sentence).collect()
}
