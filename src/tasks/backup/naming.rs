//! The names that a backup of this minute has in an asset's own layout, and what it is compared with.

use super::place::Place;
use crate::catalog::{Catalog, Pattern, is_moving, is_restorable};
use crate::model::backup::{Backup, BackupKind, Copy};
use crate::model::estate::{Asset, Estate, Source};
use crate::model::id::AssetId;
use crate::model::proof::ProofOutcome;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::stores::{StoreError, StoreErrorKind, WritableStore};
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::source::store_failure;
use chrono::NaiveDateTime;
use futures::StreamExt;

/// What a backup is in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One object.
    File,
    /// Objects below one name, which ends in a slash.
    Folder,
}

/// The asset that is asked for, and the instant of the plan, in UTC.
pub fn asked<'a>(cx: &'a TaskContext, asset: &AssetId, stamp: &str) -> Result<(&'a Asset, NaiveDateTime), Failure> {
    let found = cx
        .estate
        .asset(asset)
        .ok_or_else(|| Failure::new(format!("asset `{}` is not configured", escaped(asset.as_str()))))?;
    let at = NaiveDateTime::parse_from_str(stamp, "%Y%m%d_%H%M%S")
        .map_err(|error| Failure::new(format!("the plan's stamp `{}` is no time: {error}", escaped(stamp))))?;
    Ok((found, at))
}

/// The name that a backup of this instant has by a source; or why it has none there.
pub fn place(
    estate: &Estate,
    source: &Source,
    at: NaiveDateTime,
    layout: Layout,
    encrypted: bool,
) -> Result<Place, String> {
    if !is_whole(source.kind) {
        return Err(format!("it is for backups of kind {}", source.kind));
    }
    if source.encrypted != encrypted {
        return Err(if encrypted { "its backups are not encrypted" } else { "its backups are encrypted" }.to_owned());
    }
    let pattern = Pattern::parse(&source.pattern).map_err(|error| error.message)?;
    let store_zone = estate.store(&source.store).map_or(chrono_tz::UTC, |store| store.time_zone);
    let local = at.and_utc().with_timezone(&source.time_zone.unwrap_or(store_zone)).naive_local();
    let path = match layout {
        Layout::File => pattern.name_at(local).ok_or("it is not one plain name with a time in it")?,
        Layout::Folder => pattern.folder_at(local).ok_or("it is not one folder with a time in its name")?,
    };
    Ok(Place { store: source.store.clone(), path, min_size: source.min_size })
}

const fn is_whole(kind: BackupKind) -> bool {
    matches!(kind, BackupKind::Full | BackupKind::Archive | BackupKind::Snapshot)
}

/// No source names a new backup; `wanted` says which one would.
pub fn nowhere(asset: &Asset, wanted: &str, left_out: Vec<String>) -> Failure {
    let failure = Failure::new(format!("asset `{}` has no source that a new backup could be named by", asset.id))
        .means("nobody knows where its backup belongs; nothing was done")
        .next(format!("add a source {wanted}"));
    left_out.into_iter().fold(failure, Failure::evidence)
}

/// For people, all places in one line.
pub fn titles<'p>(places: impl IntoIterator<Item = &'p Place>) -> String {
    let title = |place: &Place| format!("{} in store {}", escaped(&place.path), place.store);
    places.into_iter().map(title).collect::<Vec<_>>().join(", and ")
}

/// Seen free while the plan is made; publishing never overwrites whatever comes later.
pub async fn free(cx: &TaskContext, place: &Place) -> Result<(), Stop> {
    let store = place.writable(cx)?;
    let taken = if place.path.ends_with('/') {
        below(&**store, &place.path).await
    } else {
        store.head(&place.path).await.map(|_| true)
    };
    match taken {
        Ok(false) => Ok(()),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
        Err(error) => Err(Stop::Unknown(store_failure(&error).means("whether the name is free is not known"))),
        Ok(true) => {
            Err(Failure::new(format!("store `{}` has an object `{}` already", place.store, escaped(&place.path)))
                .means("a backup never overwrites another; nothing was done")
                .next("make the plan again: the name carries its time")
                .into())
        }
    }
}

/// Whether there is anything below a folder's name; a page of a listing may be empty before one that is not.
async fn below(store: &dyn WritableStore, folder: &str) -> Result<bool, StoreError> {
    let mut pages = store.list(folder, None);
    while let Some(page) = pages.next().await {
        let page = page?;
        if !page.objects.is_empty() || !page.skipped.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The newest backup that nothing speaks against: what a new one is compared with. Only a copy whose name is `alike` can be
/// compared: a packed file and a plain one have sizes of their own.
pub fn previous<'c>(
    catalog: &'c Catalog,
    asset: &Asset,
    alike: impl Fn(&str) -> bool,
) -> Option<(&'c Backup, &'c Copy)> {
    let sound = |backup: &&Backup| {
        is_restorable(backup)
            && !is_moving(backup)
            && is_whole(backup.kind)
            && backup.proof.as_ref().is_none_or(|proof| proof.outcome != ProofOutcome::Failed)
    };
    let with_copy = |backup: &'c Backup| Some((backup, backup.copies.iter().find(|copy| alike(&copy.path))?));
    catalog.of_asset(&asset.id).filter(sound).filter_map(with_copy).max_by_key(|(backup, _)| backup.taken_at)
}
