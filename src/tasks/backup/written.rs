//! New objects of a backup: whether they are believable and have room, written once, and read back.

use super::place::Place;
use crate::model::estate::StorePlace;
use crate::model::size::ByteCount;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::stores::{ByteStream, ObjectMeta, Pin, Store, StoreError, StoreErrorKind};
use crate::tasks::context::TaskContext;
use crate::tasks::disk::free_bytes;
use crate::tasks::input::Stop;
use crate::tasks::module::{InputKind, InputSpec};
use crate::tasks::source::store_failure;
use futures::StreamExt;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::io::ReaderStream;

/// Rows of a module's inputs: see [`Expected`].
pub const PREVIOUS_BYTES: InputSpec = InputSpec {
    name: "previous_bytes",
    kind: InputKind::Integer,
    required: false,
    help: "Size of the backup before; absent: this is the first",
};
pub const LEAST_PERCENT: InputSpec = InputSpec {
    name: "least_percent",
    kind: InputKind::Integer,
    required: false,
    help: "How much of that size it must have at least; default 50, 0: any",
};

const USUAL_PERCENT: u64 = 50;
/// Bytes of the file that are under way at once.
const CHUNK: usize = 256 << 10;

/// What the size of a new backup is held against: the rows above, as a module's input has them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Expected {
    #[serde(default)]
    previous_bytes: Option<u64>,
    #[serde(default)]
    least_percent: Option<u64>,
}

impl Expected {
    /// A dump of an emptied database is a good file; it is its size that gives it away.
    pub fn believes<'p>(self, bytes: u64, places: impl IntoIterator<Item = &'p Place>) -> Result<(), Failure> {
        let floor = places.into_iter().filter_map(|place| place.min_size).max().unwrap_or(1);
        let refused = |what: String| {
            Failure::new(what)
                .means(
                    "it may be of an empty, half-lost or wrong source; it was published nowhere and is in the run's folder",
                )
                .next("look at the source; if it really shrank, make a new plan that allows it")
        };
        let size = ByteCount(bytes);
        if bytes < floor {
            return Err(refused(format!(
                "the new backup has {size}, less than the {} that are believable",
                ByteCount(floor)
            )));
        }
        let percent = self.least_percent.unwrap_or(USUAL_PERCENT);
        match self.previous_bytes {
            Some(before) if u128::from(bytes) * 100 < u128::from(before) * u128::from(percent) => Err(refused(
                format!("the new backup has {size}, the one before {}: less than {percent} % of it", ByteCount(before)),
            )),
            _ => Ok(()),
        }
    }
}

pub fn room(cx: &TaskContext, place: &Place, bytes: u64) -> Result<(), Stop> {
    let Some(StorePlace::Local { path }) = cx.estate.store(&place.store).map(|store| &store.place) else {
        return Ok(());
    };
    let free = free_bytes(path).map_err(|error| {
        Stop::Unknown(
            Failure::new(format!("the free space of store `{}` cannot be read: {error}", place.store))
                .means("whether there is room is not known; nothing was written there")
                .next("check the folder of the store, then retry"),
        )
    })?;
    if free < bytes + bytes / 10 {
        return Err(Failure::new(format!(
            "store `{}` has {} free, the backup has {}",
            place.store,
            ByteCount(free),
            ByteCount(bytes)
        ))
        .means("the copy would fill the filesystem; nothing was written there")
        .next("make room, then retry")
        .into());
    }
    Ok(())
}

/// Writes one object under its new name (its path, SHA-256 and size), and compares what the store gives back.
pub async fn write(
    cx: &TaskContext,
    place: &Place,
    file: &Path,
    object: &(String, String, u64),
    passed: &Arc<AtomicU64>,
) -> Result<(), Stop> {
    let (path, made, _) = object;
    let sha256 = put(cx, place, file, object, passed).await?;
    if sha256 == *made {
        return Ok(());
    }
    Err(Failure::new(format!("store `{}` gives other bytes back than it was given", place.store))
        .means(format!("the copy `{}` is damaged; its checksum beside it says so to every later look", escaped(path)))
        .next("find out what is wrong with the store; the other copies are not affected")
        .evidence(format!("written {made}, read {sha256}"))
        .into())
}

/// Writes one object under its new name; the SHA-256 of what the store gives back.
pub async fn put(
    cx: &TaskContext,
    place: &Place,
    file: &Path,
    object: &(String, String, u64),
    passed: &Arc<AtomicU64>,
) -> Result<String, Stop> {
    let (path, _, size) = object;
    let store = place.writable(cx)?;
    let body = opened(place, file, passed).await?;
    settled(cx, place, object, store.create(path, *size, body).await).await?;
    let head = store.head(path).await.map_err(|error| Stop::Unknown(store_failure(&error)))?;
    read_back(&**place.store(cx)?, path, &head.pin(), passed).await
}

async fn opened(place: &Place, file: &Path, passed: &Arc<AtomicU64>) -> Result<ByteStream, Failure> {
    let shown = escaped(&file.to_string_lossy()).into_owned();
    let file = tokio::fs::File::open(file).await.map_err(|error| {
        Failure::new(format!("{shown} cannot be read: {error}"))
            .means("it is not in the store; nothing was overwritten")
            .next("if it was removed meanwhile, make a new plan")
    })?;
    let (store, passed) = (place.store.clone(), Arc::clone(passed));
    let body = ReaderStream::with_capacity(file, CHUNK).map(move |piece| {
        let piece = piece.map_err(|error| {
            StoreError::new(StoreErrorKind::Other, &store, None, format!("{shown} cannot be read: {error}"))
        });
        piece.inspect(|piece| {
            passed.fetch_add(piece.len() as u64, Ordering::Relaxed);
        })
    });
    Ok(body.boxed())
}

/// A name that is taken is no trouble where the very bytes lie under it: an earlier attempt put them there.
pub async fn settled(
    cx: &TaskContext,
    place: &Place,
    (path, sha256, size): &(String, String, u64),
    written: Result<ObjectMeta, StoreError>,
) -> Result<(), Stop> {
    match written {
        Ok(_) => Ok(()),
        Err(error) if error.kind == StoreErrorKind::AlreadyExists => {
            if holds(cx, place, path, *size, sha256).await? {
                return Ok(());
            }
            Err(Failure::new(format!("store `{}` has another object `{}`", place.store, escaped(path)))
                .means("it was left as it is; the backup is not complete in this store")
                .next("find out who writes there under the same names, then make a new plan")
                .into())
        }
        // Nobody knows whether a request that broke was carried out: the next look tells.
        Err(error) if error.is_transient() => Err(Stop::Unknown(unwritten(&error))),
        Err(error) => Err(unwritten(&error).into()),
    }
}

fn unwritten(error: &StoreError) -> Failure {
    Failure::new(error.to_string()).means("the backup was not written to this store").next(error.hint())
}

/// Whether the object has these bytes. Another object under the name is none of ours.
pub async fn holds(cx: &TaskContext, place: &Place, path: &str, size: u64, sha256: &str) -> Result<bool, Stop> {
    let store = place.store(cx)?;
    match store.head(path).await {
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(false),
        Err(error) => Err(Stop::Unknown(store_failure(&error))),
        Ok(meta) if meta.size != size => Ok(false),
        Ok(meta) => Ok(read_back(&**store, path, &meta.pin(), &AtomicU64::new(0)).await? == sha256),
    }
}

pub async fn read_back(store: &dyn Store, path: &str, pin: &Pin, passed: &AtomicU64) -> Result<String, Stop> {
    let lost = |error: StoreError| Stop::Unknown(store_failure(&error));
    let mut body = store.read(path, 0, Some(pin)).await.map_err(lost)?;
    let mut hasher = Sha256::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(lost)?;
        hasher.update(&piece);
        passed.fetch_add(piece.len() as u64, Ordering::Relaxed);
    }
    Ok(hex::encode(hasher.finalize()))
}
