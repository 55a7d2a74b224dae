//! Which copy of a backup is meant, and what is known of its bytes before anyone reads them.

use super::choice;
use crate::catalog::sidecars::SidecarKind;
use crate::catalog::{Catalog, pin};
use crate::model::backup::{Backup, Copy};
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::proof::{ProofOutcome, ProofRecord};
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::proof::{Ledger, Recorded};
use crate::stores::{ObjectMeta, Pin, Store, StoreError, StoreErrorKind};
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::module::{InputKind, InputSpec};
use crate::tasks::source::{Source, store_failure};
use serde::Deserialize;
use std::sync::Arc;

pub const SOURCE: InputSpec = InputSpec {
    name: "source",
    kind: InputKind::Table,
    required: false,
    help: "Output of backup.resolve; or `backup` instead",
};
pub const BACKUP: InputSpec =
    InputSpec { name: "backup", kind: InputKind::Text, required: false, help: "Id of a backup of the catalog" };
pub const STORE: InputSpec = InputSpec {
    name: "store",
    kind: InputKind::Text,
    required: false,
    help: "With `backup`: the store to read from; without it the nearest copy",
};

/// Those inputs: the copy of a plan, or a backup by its id.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    pub source: Option<Source>,
    #[serde(default)]
    backup: Option<String>,
    #[serde(default)]
    store: Option<StoreId>,
}

/// One copy of one backup.
pub struct Subject {
    pub backup: BackupId,
    pub asset: AssetId,
    pub store: StoreId,
    pub path: String,
    pub taken_at: Timestamp,
    /// Identity of the bytes that the catalog or the plan knows.
    pub known: Pin,
    /// Newest proof of these very bytes that says yes or no.
    pub earlier: Option<ProofRecord>,
    /// Where a SHA-256 of them was recorded apart from them, and what it is.
    pub recorded: Vec<(String, String)>,
    /// Manifests of the model registry that it is a copy of, that of its own store first.
    pub manifests: Vec<(StoreId, String)>,
}

impl Subject {
    /// The copy that is meant, with what earlier proofs say of it. With `failed_too`, one whose proof failed is better
    /// than none.
    pub fn of(cx: &TaskContext, asked: Asked, failed_too: bool) -> Result<Self, Failure> {
        let records = Ledger::in_state(&cx.state_dir).read().map(|proofs| proofs.records).unwrap_or_default();
        match (asked.source, asked.backup) {
            (Some(source), _) => Ok(Self::of_source(&cx.catalog, source, &records)),
            (None, id) => Self::of_backup(cx, &id.unwrap_or_default(), (asked.store.as_ref(), failed_too), &records),
        }
    }

    fn of_source(catalog: &Catalog, source: Source, records: &[ProofRecord]) -> Self {
        let known = source.identity(catalog);
        let backup = catalog.get(&source.backup);
        let copy = source.copy(catalog);
        let earlier = copy.and_then(|copy| choice::proof_of(records, copy)).cloned();
        let mut recorded = recorded(backup, earlier.as_ref());
        if let Some(sha256) = source.sha256.filter(|s| recorded.iter().all(|(_, known)| known != s)) {
            recorded.push(("the plan".to_owned(), sha256));
        }
        let manifests = manifests(backup, &source.store);
        let Source { backup, asset, store, path, taken_at, .. } = source;
        Self { backup, asset, store, path, taken_at, known, earlier, recorded, manifests }
    }

    /// The best copy of the backup that `text` means, where `only` is given in that store.
    fn of_backup(
        cx: &TaskContext,
        text: &str,
        (only, failed_too): (Option<&StoreId>, bool),
        records: &[ProofRecord],
    ) -> Result<Self, Failure> {
        let backup = cx.catalog.choose(text).map_err(|error| {
            Failure::new(error.to_string())
                .means("there is nothing to read")
                .next("`relight catalog` lists the backups that are known")
        })?;
        let only = only.filter(|s| !s.as_str().is_empty());
        let (copies, reasons) = choice::copies(backup, only, failed_too, &cx.catalog, &cx.estate, records);
        let Some(copy) = copies.first() else {
            let failure = Failure::new(format!("no copy of {} can be read", backup.id))
                .means("nothing was read")
                .next("choose a store that holds a copy: `relight show` lists them");
            return Err(reasons.into_iter().fold(failure, Failure::evidence));
        };
        Ok(Self::of_copy(backup, copy, records))
    }

    pub fn of_copy(backup: &Backup, copy: &Copy, records: &[ProofRecord]) -> Self {
        let earlier = choice::proof_of(records, copy).cloned();
        Self {
            backup: backup.id.clone(),
            asset: backup.asset.clone(),
            store: copy.store.clone(),
            path: copy.path.clone(),
            taken_at: backup.taken_at,
            known: pin(copy),
            recorded: recorded(Some(backup), earlier.as_ref()),
            earlier,
            manifests: manifests(Some(backup), &copy.store),
        }
    }

    pub fn store<'c>(&self, cx: &'c TaskContext) -> Result<&'c Arc<dyn Store>, Failure> {
        cx.stores.get(&self.store).ok_or_else(|| {
            Failure::new(format!("store `{}` is not configured", self.store))
                .means("the copy cannot be reached")
                .next("put the store back into the configuration, or choose another copy")
        })
    }

    /// The pin of the object, which must still be the one that is known.
    pub async fn pinned(&self, store: &dyn Store) -> Result<Pin, Stop> {
        let meta = store.head(&self.path).await.map_err(|error| gone(&error))?;
        if self.known.holds(&meta) { Ok(meta.pin()) } else { Err(self.replaced(&meta)) }
    }

    /// All sums that were recorded apart from the bytes; and why the store's own are not among them.
    pub async fn sums(&self, store: &dyn Store, pin: &Pin) -> Result<(Recorded, Option<String>), Stop> {
        let Ok((stored, silent)) = stored_sums(store, &self.path, pin).await else {
            let now = store.head(&self.path).await.map_err(|error| gone(&error))?;
            return Err(self.replaced(&now));
        };
        Ok((Recorded { sha256: self.recorded.clone(), ..stored }, silent))
    }

    fn replaced(&self, meta: &ObjectMeta) -> Stop {
        Stop::Unknown(
            Failure::new(format!("`{}` is no longer the object that was chosen", escaped(&self.path)))
                .means("it was replaced since the scan or the plan; nothing of it was read")
                .next("scan again, and make a new plan")
                .evidence(format!("known: {} bytes, mark {}", self.known.size, escaped(&self.known.mark())))
                .evidence(format!("now: {} bytes, mark {}", meta.size, escaped(&meta.pin().mark()))),
        )
    }
}

/// What the store itself knows of the bytes of an object, and why it says nothing. An error where the object is no
/// longer the pinned one.
pub async fn stored_sums(store: &dyn Store, path: &str, pin: &Pin) -> Result<(Recorded, Option<String>), StoreError> {
    let (stored, silent) = match store.sums(path, pin).await {
        Ok(sums) => (sums, None),
        Err(error) if error.kind == StoreErrorKind::Changed => return Err(error),
        // It may be refused where reading is allowed; the bytes are checked all the same.
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let md5 = Recorded::md5_of_etag(pin.etag.as_deref());
    Ok((Recorded { sha256: Vec::new(), md5, stored }, silent))
}

pub(super) fn instant(at: Timestamp) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M UTC")
}

/// Where the manifests of a registry lie that speak of a backup, those of `first` before others.
pub fn manifests(backup: Option<&Backup>, first: &StoreId) -> Vec<(StoreId, String)> {
    let sidecars = backup.map(|b| b.sidecars.as_slice()).unwrap_or_default().iter();
    let of_registry = sidecars.filter(|s| SidecarKind::of(&s.name) == Some(SidecarKind::ModelManifest));
    let mut found: Vec<_> = of_registry.map(|s| (s.store.clone(), s.path.clone())).collect();
    found.sort_by_key(|(store, _)| store != first);
    found
}

/// SHA-256 sums that were recorded apart from the bytes: by sidecars, and by an earlier proof of the very
/// same object, which must not have changed since.
fn recorded(backup: Option<&Backup>, earlier: Option<&ProofRecord>) -> Vec<(String, String)> {
    let sidecars = backup.map(|b| b.sidecars.as_slice()).unwrap_or_default();
    let mut sums: Vec<(String, String)> =
        sidecars.iter().filter_map(|s| Some((s.name.clone(), s.sha256.clone()?))).collect();
    let passed = earlier.filter(|proof| proof.outcome == ProofOutcome::Passed);
    if let Some((at, sha256)) = passed.and_then(|proof| Some((proof.at, proof.sha256.clone()?))) {
        sums.push((format!("the proof of {}", instant(at)), sha256));
    }
    sums
}

pub fn gone(error: &StoreError) -> Stop {
    let failure = store_failure(error);
    if error.kind == StoreErrorKind::NotFound { Stop::Failed(failure) } else { Stop::Unknown(failure) }
}
