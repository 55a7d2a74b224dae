//! `backup.publish`: the run's file into every store that it belongs to, read back from each.

use super::place::{FILE, PLACES, Place};
use crate::model::estate::StorePlace;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::stores::{ByteStream, ObjectMeta, Pin, Store, StoreError, StoreErrorKind};
use crate::tasks::artefact::Artefact;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::progress::telling;
use crate::tasks::source::store_failure;
use crate::tasks::staging::free_bytes;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::io::ReaderStream;

pub struct Publish;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.publish",
    summary: "Write the run's file to every store of its asset under a new name, and read it back",
    effect: Effect::Reversible,
    inputs: &[
        FILE,
        PLACES,
        InputSpec {
            name: "previous_bytes",
            kind: InputKind::Integer,
            required: false,
            help: "Size of the backup before; absent: this is the first",
        },
        InputSpec {
            name: "least_percent",
            kind: InputKind::Integer,
            required: false,
            help: "How much of that size it must have at least; default 50, 0: any",
        },
    ],
    outputs: &["sha256", "size_bytes", "published"],
    idempotent: true,
    undo: "none: stores only take new objects; retention removes old ones",
    programs: &[],
};

const LEAST_PERCENT: u64 = 50;
/// Bytes of the file that are under way at once.
const CHUNK: usize = 256 << 10;

#[derive(Deserialize)]
struct Input {
    file: String,
    places: Vec<Place>,
    #[serde(default)]
    previous_bytes: Option<u64>,
    #[serde(default)]
    least_percent: Option<u64>,
}

#[async_trait::async_trait]
impl Module for Publish {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, publish(cx, input)).await
    }

    /// The same bytes under the planned name are this run's, whoever saw them arrive.
    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let (_, made) = Artefact::of(cx, &input.file)?;
            let mut missing = Vec::new();
            for place in &input.places {
                for (path, sha256, size) in objects(place, &made) {
                    if !holds(cx, place, &path, size, &sha256).await? {
                        missing.push(format!("`{}` in `{}`", escaped(&path), place.store));
                    }
                }
            }
            Ok::<_, Stop>(if input.places.is_empty() {
                Reality::NotDone("there is no place to publish to".to_owned())
            } else if missing.is_empty() {
                Reality::Done(output(&input.places, &made))
            } else {
                Reality::NotDone(format!("not there yet: {}; what is there stays", missing.join(", ")))
            })
        };
        look.await.unwrap_or_else(Reality::from)
    }
}

fn output(places: &[Place], made: &Artefact) -> Values {
    let published: Vec<Value> = places.iter().map(|p| json!({ "store": p.store, "path": p.path })).collect();
    values(json!({ "sha256": made.sha256, "size_bytes": made.bytes, "published": published }))
}

async fn publish(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    if input.places.is_empty() {
        return Err(Failure::new("there is no place to publish to").means("nothing was published").into());
    }
    let (path, made) = Artefact::of(cx, &input.file)?;
    let floor = input.places.iter().filter_map(|place| place.min_size).max().unwrap_or(1);
    believable(made.bytes, floor, input.previous_bytes, input.least_percent)?;
    for place in &input.places {
        place.writable(cx)?;
        room(cx, place, made.bytes)?;
    }
    let passed = Arc::new(AtomicU64::new(0));
    let total = made.bytes * 2 * input.places.len() as u64;
    for place in &input.places {
        let look = || Progress {
            done: passed.load(Ordering::Relaxed),
            total: Some(total),
            unit: Unit::Bytes,
            note: format!("to {}", place.store),
        };
        let done = telling(cx, look, place_one(cx, place, &path, &made, &passed)).await;
        done.map_err(|stop| stop.evidence("copies that were already written stay; a retry goes on with the others"))?;
        cx.feed.line(format!("`{}` is in store `{}`, read back", escaped(&place.path), place.store));
    }
    Ok(output(&input.places, &made))
}

/// A dump of an emptied database is a good file; it is its size that gives it away.
pub fn believable(bytes: u64, floor: u64, previous: Option<u64>, least_percent: Option<u64>) -> Result<(), Failure> {
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
    let percent = least_percent.unwrap_or(LEAST_PERCENT);
    match previous {
        Some(before) if u128::from(bytes) * 100 < u128::from(before) * u128::from(percent) => Err(refused(format!(
            "the new backup has {size}, the one before {}: less than {percent} % of it",
            ByteCount(before)
        ))),
        _ => Ok(()),
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

/// The backup and the checksum beside it: path, SHA-256 and size of each.
fn objects(place: &Place, made: &Artefact) -> [(String, String, u64); 2] {
    let (beside, text) = sidecar(place, made);
    let sha256 = hex::encode(Sha256::digest(&text));
    [(place.path.clone(), made.sha256.clone(), made.bytes), (beside, sha256, text.len() as u64)]
}

/// As `sha256sum` writes it and reads it.
fn sidecar(place: &Place, made: &Artefact) -> (String, String) {
    let name = place.path.rsplit('/').next().unwrap_or(&place.path);
    (format!("{}.sha256", place.path), format!("{}  {name}\n", made.sha256))
}

async fn place_one(
    cx: &TaskContext,
    place: &Place,
    file: &Path,
    made: &Artefact,
    passed: &Arc<AtomicU64>,
) -> Result<(), Stop> {
    let store = place.writable(cx)?;
    // The checksum goes first: a backup that can be listed has one from its first moment.
    let (beside, text) = sidecar(place, made);
    let body = stream::iter([Ok(Bytes::from(text.clone()))]).boxed();
    settled(cx, place, &objects(place, made)[1], store.create(&beside, text.len() as u64, body).await).await?;
    let body = opened(place, file, passed).await?;
    settled(cx, place, &objects(place, made)[0], store.create(&place.path, made.bytes, body).await).await?;
    let head = store.head(&place.path).await.map_err(|error| Stop::Unknown(store_failure(&error)))?;
    let sha256 = read_back(&**place.store(cx)?, &place.path, &head.pin(), passed).await?;
    if sha256 != made.sha256 {
        return Err(Failure::new(format!("store `{}` gives other bytes back than it was given", place.store))
            .means(format!(
                "the copy `{}` is damaged; its checksum beside it says so to every later look",
                escaped(&place.path)
            ))
            .next("find out what is wrong with the store; the other copies are not affected")
            .evidence(format!("written {}, read {sha256}", made.sha256))
            .into());
    }
    Ok(())
}

pub async fn opened(place: &Place, file: &Path, passed: &Arc<AtomicU64>) -> Result<ByteStream, Failure> {
    let file = tokio::fs::File::open(file)
        .await
        .map_err(|error| Failure::new(format!("the run's file cannot be read: {error}")))?;
    let (store, passed) = (place.store.clone(), Arc::clone(passed));
    let body = ReaderStream::with_capacity(file, CHUNK).map(move |piece| {
        let piece = piece.map_err(|error| {
            StoreError::new(StoreErrorKind::Other, &store, None, format!("the run's file cannot be read: {error}"))
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
