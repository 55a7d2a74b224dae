//! Moving names (`latest`, `previous`): resolved to the backup that has the same bytes under its own name.

use super::known::pin;
use super::sighting::Sighting;
use super::sniff::HEAD;
use crate::model::backup::Copy;
use crate::stores::Store;
use bytes::Bytes;

/// Backups of the same size whose ends are compared with a moving name's.
const CANDIDATES: usize = 4;

/// A moving name that was resolved.
#[derive(Clone, Debug)]
pub(super) struct Moving {
    pub alias: String,
    pub path: String,
    pub target: String,
}

/// Label of a backup that has no name but a moving one.
pub(super) const MOVING: &str = "moving";

/// Takes the resolved moving names out of `sightings`. Those that have the bytes of no dated backup stay,
/// with the store's time and a note: what they hold exists nowhere else.
pub(super) async fn resolve(store: &dyn Store, sightings: &mut Vec<Sighting>) -> Vec<Moving> {
    let mut resolved = Vec::new();
    let mut index = 0;
    while index < sightings.len() {
        let Some(alias) = sightings[index].alias.clone() else {
            index += 1;
            continue;
        };
        if let Some(target) = target(store, sightings, index).await {
            let path = sightings.remove(index).copy.path;
            resolved.push(Moving { alias, path, target });
            continue;
        }
        let note = "no dated backup has the same bytes; its time is the store's";
        let labels = &mut sightings[index].labels;
        labels.insert(MOVING.to_owned(), alias);
        labels.insert("note".to_owned(), note.to_owned());
        index += 1;
    }
    resolved
}

async fn target(store: &dyn Store, sightings: &[Sighting], index: usize) -> Option<String> {
    let moving = &sightings[index];
    let size = moving.copy.size_bytes;
    let mut fits: Vec<&Sighting> = sightings
        .iter()
        .filter(|s| s.alias.is_none() && s.asset == moving.asset && s.is_folder() == moving.is_folder())
        .filter(|s| s.copy.size_bytes == size && s.copy.objects == moving.copy.objects && size > 0)
        .collect();
    fits.sort_by_key(|s| std::cmp::Reverse(s.reading.first()));
    if moving.is_folder() {
        return if let [only] = fits[..] { Some(only.copy.path.clone()) } else { None };
    }
    let tagged = |s: &&&Sighting| s.copy.etag.is_some() && s.copy.etag == moving.copy.etag;
    if let Some(same) = fits.iter().find(tagged) {
        return Some(same.copy.path.clone());
    }
    fits.truncate(CANDIDATES);
    if fits.is_empty() {
        return None;
    }
    // Other tags do not mean other bytes: uploads in parts and local files have none to compare. The end of
    // a gzip holds its checksum, so equal ends at equal size are equal dumps.
    let own = ends(store, &moving.copy).await?;
    for candidate in fits {
        if ends(store, &candidate.copy).await.is_some_and(|other| other == own) {
            return Some(candidate.copy.path.clone());
        }
    }
    None
}

async fn ends(store: &dyn Store, copy: &Copy) -> Option<(Bytes, Bytes)> {
    let (size, part, pin) = (copy.size_bytes, HEAD as u64, pin(copy));
    let head = store.read_range(&copy.path, 0..size.min(part), Some(&pin)).await.ok()?;
    let tail = store.read_range(&copy.path, size.saturating_sub(part)..size, Some(&pin)).await.ok()?;
    Some((head, tail))
}
