//! The pass that reads the first bytes of the newest backups, to know what they really are.

use super::known::{Known, pin};
use super::sighting::Sighting;
use super::sniff;
use crate::model::content::{Content, Form};
use crate::stores::Store;
use futures::{FutureExt, StreamExt, stream};
use std::collections::BTreeMap;

/// Newest backups per source of which the head is read.
const NEWEST: usize = 32;
const AT_ONCE: usize = 8;

/// Gives back how many older ones were put off: what they are, and whether they are encrypted, stays unknown
/// until a later scan.
pub(super) async fn read(store: &dyn Store, sightings: &mut [Sighting], known: &Known<'_>) -> usize {
    let mut by_source: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, sighting) in sightings.iter_mut().enumerate() {
        if sighting.is_folder() {
            continue;
        }
        if sighting.copy.size_bytes == 0 {
            sighting.content = Some(Content { wrapped: Vec::new(), form: Form::Empty });
        } else if let Some((backup, content)) = known.same(&sighting.copy).and_then(|b| Some((b, b.content.clone()?))) {
            sighting.content = Some(content);
            sighting.encrypted = backup.encrypted;
        } else {
            by_source.entry(sighting.source).or_default().push(index);
        }
    }
    let (mut wanted, mut put_off) = (Vec::new(), 0);
    for mut indices in by_source.into_values() {
        indices.sort_by_key(|i| std::cmp::Reverse(sightings[*i].reading.first()));
        put_off += indices.len().saturating_sub(NEWEST);
        indices.truncate(NEWEST);
        wanted.extend(indices);
    }
    let asked: Vec<_> = wanted.into_iter().map(|index| head(store, index, &sightings[index]).boxed()).collect();
    let heads: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    for (index, content, sealed) in heads.into_iter().flatten() {
        sightings[index].content = Some(content);
        sightings[index].encrypted = sealed;
    }
    put_off
}

/// `None` where it cannot be read now (archive classes, lost stores): it stays unknown and is tried again.
async fn head(store: &dyn Store, index: usize, sighting: &Sighting) -> Option<(usize, Content, Option<bool>)> {
    let copy = &sighting.copy;
    let (content, sealed) = sniff::look(store, &copy.path, copy.size_bytes, Some(&pin(copy))).await.ok()?;
    Some((index, content, sealed))
}
