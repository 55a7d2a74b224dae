//! What retention lets go in one store, as the plan fixes it, and how the world may object to it later.

use super::objects::Object;
use super::rescan::rescan;
use crate::catalog::{Catalog, PROVEN, is_moving, is_restorable};
use crate::model::backup::{Backup, Copy};
use crate::model::estate::Asset;
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::proof::ProofOutcome;
use crate::model::size::ByteCount;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::proof::Ledger;
use crate::retention::{SourcePlan, plan};
use crate::stores::Pin;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::module::{InputKind, InputSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub const ASSET: InputSpec =
    InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of the configuration" };
pub const STORE: InputSpec =
    InputSpec { name: "store", kind: InputKind::Text, required: true, help: "Store that the copies lie in" };
pub const COPIES: InputSpec =
    InputSpec { name: "copies", kind: InputKind::List, required: true, help: "`copies` of backup.expiring" };
pub const KEPT: InputSpec =
    InputSpec { name: "kept", kind: InputKind::List, required: true, help: "`kept` of backup.expiring" };

/// What one run removes, and what stays.
#[derive(Debug, Deserialize)]
pub struct Removal {
    pub asset: AssetId,
    pub store: StoreId,
    pub copies: Vec<Doomed>,
    pub kept: Vec<Kept>,
}

/// One copy that may go, with everything of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Doomed {
    pub backup: BackupId,
    /// Object name, or a folder's prefix ending in `/`.
    pub path: String,
    pub taken_at: Timestamp,
    /// Why the planner lets it go.
    pub reason: String,
    /// In the order in which they are removed: what describes the others comes last.
    pub objects: Vec<Object>,
}

impl Doomed {
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.pin.size).sum()
    }
}

/// One copy that stays, in any store of the asset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    pub backup: BackupId,
    pub store: StoreId,
    pub path: String,
    pub size_bytes: u64,
    /// Change mark of its bytes.
    pub mark: String,
}

impl Kept {
    pub fn of(backup: &Backup, copy: &Copy) -> Self {
        Self {
            backup: backup.id.clone(),
            store: copy.store.clone(),
            path: copy.path.clone(),
            size_bytes: copy.size_bytes,
            mark: mark(copy),
        }
    }

    /// Why it does not stand any more as the plan saw it.
    pub fn lost(&self, catalog: &Catalog) -> Option<String> {
        let here = |copy: &&Copy| copy.store == self.store && copy.path == self.path;
        let found = catalog.backups.iter().flat_map(|backup| &backup.copies).find(here);
        let what = match found {
            None => "is no longer there",
            Some(copy) if copy.size_bytes != self.size_bytes || mark(copy) != self.mark => "was replaced or changed",
            Some(_) => return None,
        };
        Some(format!("`{}` in store `{}`, which is to be kept, {what}", escaped(&self.path), self.store))
    }
}

fn mark(copy: &Copy) -> String {
    Pin { size: copy.size_bytes, etag: copy.etag.clone(), modified: copy.modified_at }.mark()
}

pub fn asset<'a>(cx: &'a TaskContext, id: &AssetId) -> Result<&'a Asset, Failure> {
    cx.estate.asset(id).ok_or_else(|| {
        Failure::new(format!("asset `{}` is not configured", escaped(id.as_str())))
            .means("nobody knows what its retention asks for; nothing was removed")
            .next("`relight health` names the assets")
    })
}

/// Every store of the asset as it is in this second, with all proofs.
pub async fn fresh(cx: &TaskContext, asset: &Asset) -> Result<Catalog, Stop> {
    let proofs = Ledger::in_state(&cx.state_dir).read().map_err(|error| {
        Stop::Unknown(
            Failure::new(error.to_string())
                .means("what was proven so far is not known, and without that nothing is removed")
                .next("mend the file's permissions, then retry"),
        )
    })?;
    let stores: BTreeSet<&StoreId> = asset.sources.iter().map(|source| &source.store).collect();
    let unknown = "whether what stays is still there is not known; nothing was removed";
    Ok(rescan(cx, &stores, unknown).await?.with_proofs(&proofs.records))
}

pub fn judged<'c>(cx: &TaskContext, asset: &'c Asset, catalog: &'c Catalog) -> Vec<SourcePlan<'c>> {
    plan(asset, &cx.estate, catalog, cx.clock.now())
}

/// Everything that the planner keeps. A moving name leads to other bytes every night, and is no copy to hold to.
pub fn kept(plans: &[SourcePlan<'_>]) -> Vec<Kept> {
    let items = plans.iter().flat_map(|plan| &plan.items);
    let kept = items.filter(|item| item.is_kept() && !is_moving(item.backup));
    kept.map(|item| Kept::of(item.backup, item.copy)).collect()
}

/// The newest proven backup: the one without which the planner lets nothing go.
pub fn stands<'c>(catalog: &'c Catalog, asset: &AssetId, now: Timestamp) -> Option<&'c Backup> {
    let proven = |backup: &&Backup| {
        let proof = backup.proof.as_deref();
        backup.taken_at <= now
            && is_restorable(backup)
            && proof.is_some_and(|proof| proof.outcome == ProofOutcome::Passed && proof.level >= PROVEN)
    };
    catalog.of_asset(asset).filter(proven).max_by_key(|backup| backup.taken_at)
}

/// What the planner says of the copy now, if that is not what it said in the plan.
pub fn objection(plans: &[SourcePlan<'_>], store: &StoreId, doomed: &Doomed, whole: bool) -> Option<String> {
    let items = plans.iter().flat_map(|plan| &plan.items);
    let path = escaped(&doomed.path);
    match items.into_iter().find(|item| item.copy.store == *store && item.copy.path == doomed.path) {
        Some(item) if item.is_kept() => {
            Some(format!("`{path}` is to be kept now: {}", escaped(&item.reasons.join(", "))))
        }
        Some(item) if item.backup.id != doomed.backup => {
            Some(format!("`{path}` is taken for another backup now: {}", item.backup.id))
        }
        // What an earlier attempt has begun is no backup any more.
        None if whole => Some(format!("`{path}` is there, and the catalog does not show it any more")),
        Some(_) | None => None,
    }
}

/// `4 backups (12 objects, 3.4 GB)`.
pub fn amount(copies: &[Doomed]) -> String {
    let objects: usize = copies.iter().map(|copy| copy.objects.len()).sum();
    let bytes = ByteCount(copies.iter().map(Doomed::bytes).sum());
    let (backup, object) =
        (if copies.len() == 1 { "backup" } else { "backups" }, if objects == 1 { "object" } else { "objects" });
    format!("{} {backup} ({objects} {object}, {bytes})", copies.len())
}
