//! Which backup an operator's words mean, and in which order its copies are worth trying.

use crate::catalog::{Catalog, ChooseError, ScanStatus, is_about, is_restorable};
use crate::model::backup::{Backup, Copy};
use crate::model::estate::{Estate, StorePlace};
use crate::model::id::{AssetId, StoreId};
use crate::model::proof::{ProofOutcome, ProofRecord};
use crate::model::task::Failure;
use crate::model::time::{short_duration, zoned};

/// A backup with what the operator should know about the choice.
#[derive(Debug)]
pub struct Chosen<'c> {
    pub backup: &'c Backup,
    pub warnings: Vec<String>,
}

/// Warnings about backups that were passed over; more would only be noise.
const MOST_WARNINGS: usize = 5;

pub fn backup<'c>(catalog: &'c Catalog, asset: &AssetId, text: &str) -> Result<Chosen<'c>, Failure> {
    let mut warnings = Vec::new();
    if text == "latest" {
        for backup in catalog.of_asset(asset) {
            match objection(backup) {
                None => return Ok(Chosen { backup, warnings }),
                Some(why) if warnings.len() < MOST_WARNINGS => {
                    warnings.push(format!("the newer {} was passed over: {why}", backup.id));
                }
                Some(_) => {}
            }
        }
        let failure = refusal(&ChooseError::NoLatest(asset.clone()));
        return Err(warnings.into_iter().fold(failure, Failure::evidence));
    }
    let backup = catalog.choose_for(asset, text).map_err(|error| refusal(&error))?;
    if let Some(at) = zoned(text) {
        warnings.push(format!("it was taken {} before the asked instant", short_duration(at - backup.taken_at)));
    } else if text == "latest-proven" {
        let newer = catalog.of_asset(asset).take_while(|b| b.id != backup.id).filter(|b| is_restorable(b)).count();
        if newer > 0 {
            warnings.push(format!("{newer} newer backups are not proven; `relight verify` can change that"));
        }
    } else if let Some(why) = objection(backup) {
        warnings.push(format!("it was named explicitly, although {why}"));
    }
    Ok(Chosen { backup, warnings })
}

fn refusal(error: &ChooseError) -> Failure {
    let failure = Failure::new(error.to_string()).means("there is no backup to read");
    match error {
        ChooseError::NoProven(_) => {
            failure.next("prove one with `relight verify`, or name a backup (or `latest`) to go on without a proof")
        }
        ChooseError::Many { .. } => failure.next("type more of the id"),
        _ => failure.next("`relight catalog` lists the backups that are known"),
    }
}

/// Why `latest` does not take it.
fn objection(backup: &Backup) -> Option<String> {
    if !is_restorable(backup) {
        let because = backup.incomplete_because.first();
        return Some(match because {
            Some(because) => format!("it is incomplete ({because})"),
            None if backup.complete == Some(false) => "it is incomplete".to_owned(),
            None => "it cannot be restored by itself".to_owned(),
        });
    }
    let proof = backup.proof.as_ref()?;
    (proof.outcome == ProofOutcome::Failed).then(|| format!("its proof failed: {}", proof.detail))
}

/// Newest record about the very bytes of a copy that says anything about them.
pub fn proof_of<'r>(records: &'r [ProofRecord], copy: &Copy) -> Option<&'r ProofRecord> {
    let here = |r: &&ProofRecord| r.store == copy.store && r.path == copy.path && is_about(r, copy);
    records.iter().filter(here).filter(|r| r.outcome != ProofOutcome::Unknown).max_by_key(|r| r.at)
}

/// Copies worth trying, best first, and why the others are not: proven before unproven, stores that
/// answered before others, near before far, and archived ones last: their store tells whether they were thawed. A copy whose proof failed is worth trying only where someone
/// named it, or with `failed_too` after all others.
pub fn copies<'b>(
    backup: &'b Backup,
    only: Option<&StoreId>,
    failed_too: bool,
    catalog: &Catalog,
    estate: &Estate,
    records: &[ProofRecord],
) -> (Vec<&'b Copy>, Vec<String>) {
    let mut reasons = Vec::new();
    let mut ranked = Vec::new();
    for (order, copy) in backup.copies.iter().enumerate() {
        let proof = proof_of(records, copy);
        if only.is_some_and(|store| *store != copy.store) {
            continue;
        }
        let failed = proof.filter(|p| p.outcome == ProofOutcome::Failed);
        if let Some(failed) = failed {
            reasons.push(format!("the copy in `{}` failed its proof: {}", copy.store, failed.detail));
            if only.is_none() && !failed_too {
                continue;
            }
        }
        let away = catalog.stores.iter().any(|s| s.id == copy.store && s.status != ScanStatus::Ok);
        let far = estate.store(&copy.store).is_none_or(|s| !matches!(s.place, StorePlace::Local { .. }));
        let archived = copy.archive_class().is_some();
        ranked.push(((failed.is_some(), archived, away, proof.is_none(), far, order), copy));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    (ranked.into_iter().map(|(_, copy)| copy).collect(), reasons)
}
