//! What stays although no class asks for it: because something would be lost with it.

use super::plan::{Item, SourcePlan};
use crate::catalog::{PROVEN, RecoveryWindow};
use crate::model::backup::BackupKind;
use crate::model::id::BackupId;
use crate::model::proof::ProofOutcome;
use std::collections::BTreeMap;

pub(super) fn all(plans: &mut [SourcePlan<'_>], window: Option<&RecoveryWindow>) {
    newest(plans);
    pointed_at(plans);
    proven(plans);
    bases_of_the_log(plans, window);
    // Last: what is kept by now may need others.
    bases_of_chains(plans);
}

/// No source is left without its newest.
fn newest(plans: &mut [SourcePlan<'_>]) {
    for plan in plans {
        if let Some(item) = plan.items.iter_mut().find(|item| item.usable).filter(|item| !item.is_kept()) {
            item.keep("the newest of its source".to_owned());
        }
    }
}

/// A moving name such as `latest` would lead nowhere.
fn pointed_at(plans: &mut [SourcePlan<'_>]) {
    for item in plans.iter_mut().flat_map(|plan| &mut plan.items).filter(|item| !item.is_kept()) {
        let here = format!("{}: ", item.copy.store);
        let name = item.backup.labels.iter().find(|(_, place)| place.starts_with(&here)).map(|(name, _)| name.clone());
        if let Some(name) = name {
            item.keep(format!("`{name}` points at it"));
        }
    }
}

fn is_proven(item: &Item<'_>) -> bool {
    let passed =
        |proof: &crate::model::proof::ProofRecord| proof.outcome == ProofOutcome::Passed && proof.level >= PROVEN;
    item.usable && item.backup.proof.as_deref().is_some_and(passed)
}

/// The newest proven backup stays, and so does everything that is not older: until something newer is proven,
/// nobody knows that it can be done without.
fn proven(plans: &mut [SourcePlan<'_>]) {
    let proven = plans.iter().flat_map(|plan| &plan.items).filter(|item| is_proven(item)).map(|item| item.backup);
    let newest = proven.max_by_key(|backup| backup.taken_at).map(|backup| (backup.id.clone(), backup.taken_at));
    for item in plans.iter_mut().flat_map(|plan| &mut plan.items) {
        match &newest {
            None if !item.is_kept() => item.keep("no backup of the asset is proven".to_owned()),
            Some((id, _)) if *id == item.backup.id => item.keep("the newest that is proven".to_owned()),
            Some((_, at)) if item.backup.taken_at >= *at && !item.is_kept() => {
                item.keep("nothing newer is proven".to_owned());
            }
            _ => {}
        }
    }
}

/// The base with which a stretch of recoverable instants begins; without it the log from there on is of no use.
fn bases_of_the_log(plans: &mut [SourcePlan<'_>], window: Option<&RecoveryWindow>) {
    for (from, _) in window.into_iter().flat_map(|window| &window.spans) {
        let items = || plans.iter().flat_map(|plan| &plan.items);
        let full = items().filter(|item| item.backup.kind == BackupKind::Full && item.backup.taken_at <= *from);
        let Some(base) = full.max_by_key(|item| item.backup.taken_at).map(|item| item.backup.id.clone()) else {
            continue;
        };
        keep(plans, &base, &format!("the log from {} on builds on it", from.format("%Y-%m-%d %H:%M UTC")));
    }
}

/// Whatever a kept backup builds on, and what that builds on.
fn bases_of_chains(plans: &mut [SourcePlan<'_>]) {
    loop {
        let items = || plans.iter().flat_map(|plan| &plan.items);
        let mut needed: BTreeMap<BackupId, BackupId> = BTreeMap::new();
        for item in items().filter(|item| item.is_kept()) {
            if let Some(base) = item.backup.chain.as_ref().and_then(|link| link.base.as_ref()) {
                needed.entry(base.clone()).or_insert_with(|| item.backup.id.clone());
            }
        }
        let lost = |id: &BackupId| items().any(|item| item.backup.id == *id && !item.is_kept());
        let lost: Vec<(BackupId, BackupId)> = needed.into_iter().filter(|(base, _)| lost(base)).collect();
        if lost.is_empty() {
            return;
        }
        for (base, by) in lost {
            keep(plans, &base, &format!("{by} builds on it"));
        }
    }
}

fn keep(plans: &mut [SourcePlan<'_>], id: &BackupId, reason: &str) {
    let items = plans.iter_mut().flat_map(|plan| &mut plan.items);
    for item in items.filter(|item| item.backup.id == *id && !item.is_kept()) {
        item.keep(reason.to_owned());
    }
}
