//! `backup.publish`: the run's file into every store that it belongs to, read back from each.

use super::place::{FILE, PLACES, Place, published};
use super::written::{Expected, LEAST_PERCENT, PREVIOUS_BYTES, holds, room, settled, write};
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::artefact::Artefact;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use crate::tasks::progress::telling;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Publish;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.publish",
    summary: "Write the run's file to every store of its asset under a new name, and read it back",
    effect: Effect::Reversible,
    inputs: &[FILE, PLACES, PREVIOUS_BYTES, LEAST_PERCENT],
    outputs: &["sha256", "size_bytes", "published"],
    idempotent: true,
    undo: "none: stores only take new objects; retention removes old ones",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    file: String,
    places: Vec<Place>,
    #[serde(flatten)]
    expected: Expected,
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
    values(json!({ "sha256": made.sha256, "size_bytes": made.bytes, "published": published(places) }))
}

async fn publish(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    if input.places.is_empty() {
        return Err(Failure::new("there is no place to publish to").means("nothing was published").into());
    }
    let (path, made) = Artefact::of(cx, &input.file)?;
    input.expected.believes(made.bytes, &input.places)?;
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
    // The checksum goes first: a backup that can be listed has one from its first moment.
    let (beside, text) = sidecar(place, made);
    let body = stream::iter([Ok(Bytes::from(text.clone()))]).boxed();
    let written = place.writable(cx)?.create(&beside, text.len() as u64, body).await;
    settled(cx, place, &objects(place, made)[1], written).await?;
    write(cx, place, file, &objects(place, made)[0], passed).await
}
