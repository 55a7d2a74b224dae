//! Runs the rules and adds up what they say.

use super::finding::{AssetHealth, CopyCount, Finding, HealthReport, Severity, StoreHealth};
use super::rules;
use super::subject::Subject;
use crate::catalog::Catalog;
use crate::model::backup::{Backup, BackupKind};
use crate::model::estate::{Asset, Estate};
use crate::model::time::Timestamp;

/// How many of the newest sizes a sparkline shows.
const SPARKLINE: usize = 30;

/// Judges every asset and store of the estate at one instant.
pub fn assess(catalog: &Catalog, estate: &Estate, now: Timestamp) -> HealthReport {
    let mut assets: Vec<(AssetHealth, &Asset)> =
        estate.assets.iter().map(|asset| (assess_asset(&Subject::new(asset, estate, catalog, now)), asset)).collect();
    assets.sort_by(|(a, asset_a), (b, asset_b)| {
        b.verdict.cmp(&a.verdict).then(asset_a.tier.cmp(&asset_b.tier)).then(a.id.cmp(&b.id))
    });
    let stores: Vec<StoreHealth> = catalog
        .stores
        .iter()
        .map(|scan| {
            let findings: Vec<Finding> = rules::store_unseen::judge_store(scan, now).into_iter().collect();
            StoreHealth { id: scan.id.clone(), verdict: worst(&findings), findings }
        })
        .collect();
    let assets: Vec<AssetHealth> = assets.into_iter().map(|(health, _)| health).collect();
    let verdict = assets
        .iter()
        .map(|asset| asset.verdict)
        .chain(stores.iter().map(|store| store.verdict))
        .max()
        .unwrap_or(Severity::Ok);
    HealthReport { verdict, assets, stores, judged_at: now }
}

fn assess_asset(subject: &Subject<'_>) -> AssetHealth {
    let mut findings: Vec<Finding> = rules::ALL.iter().flat_map(|rule| (rule.judge)(subject)).collect();
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.rule.cmp(&b.rule)));
    let newest = subject.newest_usable();
    let newest_at = subject.newest_point();
    AssetHealth {
        id: subject.asset.id.clone(),
        verdict: worst(&findings),
        age_seconds: newest_at.map(|at| (subject.now - at).num_seconds()),
        rpo_seconds: subject.asset.objectives.rpo.map(|rpo| rpo.as_secs()),
        rto_seconds: subject.asset.objectives.rto.map(|rto| rto.as_secs()),
        newest: newest.map(|backup| backup.id.clone()),
        newest_at,
        copies: newest.map_or_else(CopyCount::default, |backup| subject.copies_of(backup)),
        proof: subject.backups.iter().find_map(|backup| backup.proof.as_deref().cloned()),
        sizes: sizes(&subject.backups),
        backups: subject.backups.len() as u64,
        findings,
    }
}

/// Sizes of the newest backups of the kind that the asset has most of, oldest first.
fn sizes(backups: &[&Backup]) -> Vec<u64> {
    const KINDS: [BackupKind; 4] =
        [BackupKind::Full, BackupKind::Snapshot, BackupKind::Archive, BackupKind::Incremental];
    let main = KINDS.into_iter().find(|kind| backups.iter().any(|b| b.kind == *kind));
    let mut sizes: Vec<u64> =
        backups.iter().filter(|b| Some(b.kind) == main).take(SPARKLINE).map(|b| b.size_bytes).collect();
    sizes.reverse();
    sizes
}

fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
}
