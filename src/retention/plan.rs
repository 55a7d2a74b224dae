//! The plan for each source: the newest usable backup of each period fills a place; what fills none and is
//! needed by nothing may go.

use super::period::Class;
use super::protect;
use super::reality::{Missing, missing};
use crate::catalog::{Catalog, Pattern, ScanStatus, is_restorable};
use crate::model::backup::{Backup, BackupKind, Copy};
use crate::model::estate::{Asset, Estate, Source};
use crate::model::id::{AssetId, StoreId};
use crate::model::objective::Retention;
use crate::model::proof::ProofOutcome;
use crate::model::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Keep,
    Expire,
}

/// One copy of one backup, judged.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    pub backup: &'a Backup,
    pub copy: &'a Copy,
    /// It may stand for a period.
    pub usable: bool,
    pub verdict: Verdict,
    /// Never empty.
    pub reasons: Vec<String>,
}

impl Item<'_> {
    pub(super) fn keep(&mut self, reason: String) {
        if self.verdict == Verdict::Expire {
            self.verdict = Verdict::Keep;
            self.reasons.clear();
        }
        self.reasons.push(reason);
    }

    pub fn is_kept(&self) -> bool {
        self.verdict == Verdict::Keep
    }
}

/// What becomes of everything that one source has brought.
#[derive(Debug)]
pub struct SourcePlan<'a> {
    pub asset: &'a AssetId,
    pub store: &'a StoreId,
    pub pattern: &'a str,
    pub kind: BackupKind,
    /// Absent: nothing is asked for, and nothing is let go.
    pub policy: Option<Retention>,
    /// Newest first.
    pub items: Vec<Item<'a>>,
    /// Periods of the policy from which there is nothing usable.
    pub missing: Vec<Missing>,
}

impl SourcePlan<'_> {
    pub fn expiring(&self) -> impl Iterator<Item = &Item<'_>> {
        self.items.iter().filter(|item| !item.is_kept())
    }
}

/// Whether it may stand for a period: one that is known to be bad takes no good one's place.
fn is_usable(backup: &Backup, now: Timestamp) -> bool {
    backup.taken_at <= now
        && backup.size_bytes > 0
        && is_restorable(backup)
        && backup.proof.as_ref().is_none_or(|proof| proof.outcome != ProofOutcome::Failed)
}

/// Plans for every source of an asset but those of logs, which are kept by what needs them.
pub fn plan<'a>(asset: &'a Asset, estate: &Estate, catalog: &'a Catalog, now: Timestamp) -> Vec<SourcePlan<'a>> {
    let backups: Vec<&Backup> = catalog.backups.iter().filter(|backup| backup.asset == asset.id).collect();
    let mut plans: Vec<SourcePlan<'a>> = asset
        .sources
        .iter()
        .filter(|source| source.kind != BackupKind::Log)
        .map(|source| empty(asset, source))
        .collect();
    for backup in backups {
        for copy in &backup.copies {
            if let Some(at) = source_of(&plans, backup, copy) {
                let (usable, reasons) = (is_usable(backup, now), vec!["no class asks for it".to_owned()]);
                let mut item = Item { backup, copy, usable, verdict: Verdict::Expire, reasons };
                if backup.taken_at > now {
                    item.keep("its time has not come yet: a clock or a name is wrong".to_owned());
                }
                plans[at].items.push(item);
            }
        }
    }
    for plan in &mut plans {
        plan.items
            .sort_by(|a, b| b.backup.taken_at.cmp(&a.backup.taken_at).then_with(|| a.copy.path.cmp(&b.copy.path)));
        match plan.policy {
            Some(policy) => {
                fill(plan, &policy);
                plan.missing = missing(plan, &policy, now);
            }
            None => plan.items.iter_mut().for_each(|item| item.keep("its source has no retention".to_owned())),
        }
        let scan = catalog.stores.iter().find(|scan| scan.id == *plan.store);
        if scan.is_none_or(|scan| scan.status != ScanStatus::Ok) || estate.store(plan.store).is_none() {
            let unseen = || format!("store `{}` was not seen whole", plan.store);
            plan.items.iter_mut().filter(|item| !item.is_kept()).for_each(|item| item.keep(unseen()));
            plan.missing.clear();
        }
    }
    protect::all(&mut plans, catalog.window(&asset.id));
    plans
}

fn empty<'a>(asset: &'a Asset, source: &'a Source) -> SourcePlan<'a> {
    SourcePlan {
        asset: &asset.id,
        store: &source.store,
        pattern: &source.pattern,
        kind: source.kind,
        policy: source.retention,
        items: Vec::new(),
        missing: Vec::new(),
    }
}

/// The source that a copy came from. Where several sources of one store and kind could have brought it, its name
/// decides; a copy that belongs to none of them is in no plan, and so stays.
fn source_of(plans: &[SourcePlan<'_>], backup: &Backup, copy: &Copy) -> Option<usize> {
    let fits: Vec<usize> =
        (0..plans.len()).filter(|at| *plans[*at].store == copy.store && plans[*at].kind == backup.kind).collect();
    if let [only] = fits[..] {
        return Some(only);
    }
    fits.into_iter().find(|at| {
        let pattern = Pattern::parse(plans[*at].pattern);
        // Patterns of folders match what lies in them.
        pattern.is_ok_and(|pattern| {
            pattern.matches(&copy.path).is_some() || pattern.matches(&format!("{}x", copy.path)).is_some()
        })
    })
}

/// Fills the places of each class: the newest usable backup of each of the newest periods that have one, so that
/// days on which nothing came let nothing go.
fn fill(plan: &mut SourcePlan<'_>, policy: &Retention) {
    for class in Class::ALL {
        let mut seen = BTreeSet::new();
        for item in plan.items.iter_mut().filter(|item| item.usable) {
            let period = class.period(item.backup.taken_at);
            if seen.len() < class.wanted(policy) as usize && seen.insert(period.clone()) {
                item.keep(format!("{class} {period}"));
            }
        }
    }
    for item in plan.items.iter_mut().filter(|item| !item.usable && item.verdict == Verdict::Expire) {
        let why = match &item.backup.proof {
            Some(proof) if proof.outcome == ProofOutcome::Failed => "its proof failed",
            _ => "it cannot be restored",
        };
        item.reasons = vec![format!("{why}, so that it stands for no period")];
    }
}
