//! `backup.publish-folder`: the run's folder into every store that it belongs to, member by member, each read back.

use super::place::{FILE, PLACES, Place, published};
use super::written::{Expected, LEAST_PERCENT, PREVIOUS_BYTES, holds, room, write};
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::bundle::{Bundle, Member};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use crate::tasks::progress::telling;
use crate::tasks::source::store_failure;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct PublishFolder;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.publish-folder",
    summary: "Write the run's folder to every store of its asset under a new name, and read it back",
    effect: Effect::Reversible,
    inputs: &[FILE, PLACES, PREVIOUS_BYTES, LEAST_PERCENT],
    outputs: &["size_bytes", "objects", "published"],
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
impl Module for PublishFolder {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, publish(cx, input)).await
    }

    /// The same bytes under the planned names are this run's, whoever saw them arrive.
    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let (_, made) = Bundle::of(cx, &input.file)?;
            for place in &input.places {
                for member in &made.members {
                    let (path, sha256, size) = object(place, member);
                    if !holds(cx, place, &path, size, &sha256).await? {
                        let what = format!("`{}` is not in `{}` yet; what is there stays", escaped(&path), place.store);
                        return Ok::<_, Stop>(Reality::NotDone(what));
                    }
                }
            }
            Ok(if input.places.is_empty() {
                Reality::NotDone("there is no place to publish to".to_owned())
            } else {
                Reality::Done(output(&input.places, &made))
            })
        };
        look.await.unwrap_or_else(Reality::from)
    }
}

fn output(places: &[Place], made: &Bundle) -> Values {
    values(json!({ "size_bytes": made.bytes(), "objects": made.members.len(), "published": published(places) }))
}

/// Path, SHA-256 and size of a member in a store.
fn object(place: &Place, member: &Member) -> (String, String, u64) {
    (format!("{}{}", place.path, member.name), member.sha256.clone(), member.bytes)
}

async fn publish(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    if input.places.is_empty() {
        return Err(Failure::new("there is no place to publish to").means("nothing was published").into());
    }
    let (folder, made) = Bundle::of(cx, &input.file)?;
    input.expected.believes(made.bytes(), &input.places)?;
    for place in &input.places {
        place.writable(cx)?;
        room(cx, place, made.bytes())?;
        alone(cx, place, &made).await?;
    }
    let passed = Arc::new(AtomicU64::new(0));
    let total = made.bytes() * 2 * input.places.len() as u64;
    for place in &input.places {
        let look = || Progress {
            done: passed.load(Ordering::Relaxed),
            total: Some(total),
            unit: Unit::Bytes,
            note: format!("to {}", place.store),
        };
        let done = telling(cx, look, place_one(cx, place, &folder, &made, &passed)).await;
        done.map_err(|stop| {
            stop.evidence("what was already written stays and is listed as incomplete; a retry goes on with the rest")
        })?;
        let count = made.members.len();
        cx.feed.line(format!("`{}` is in store `{}`: {count} objects, read back", escaped(&place.path), place.store));
    }
    Ok(output(&input.places, &made))
}

/// Nothing of anyone else's may lie in the new folder: it would count as part of the backup.
async fn alone(cx: &TaskContext, place: &Place, made: &Bundle) -> Result<(), Stop> {
    let mut pages = place.store(cx)?.list(&place.path, None);
    while let Some(page) = pages.next().await {
        for meta in page.map_err(|error| Stop::Unknown(store_failure(&error)))?.objects {
            let rest = meta.name.strip_prefix(&place.path).unwrap_or(&meta.name);
            if !rest.is_empty() && !made.members.iter().any(|member| member.name == rest) {
                return Err(Failure::new(format!(
                    "store `{}` has an object `{}` in the folder of the new backup",
                    place.store,
                    escaped(&meta.name)
                ))
                .means("it would be taken for a part of this backup; nothing was written there")
                .next("find out who writes there under the same names, then make a new plan")
                .into());
            }
        }
    }
    Ok(())
}

async fn place_one(
    cx: &TaskContext,
    place: &Place,
    folder: &Path,
    made: &Bundle,
    passed: &Arc<AtomicU64>,
) -> Result<(), Stop> {
    // In the order of the list, which names all others: whoever looks in the middle sees what is missing.
    for member in &made.members {
        let object = object(place, member);
        // An earlier attempt may have written it; it is not sent a second time to learn that.
        if holds(cx, place, &object.0, object.2, &object.1).await? {
            passed.fetch_add(2 * member.bytes, Ordering::Relaxed);
        } else {
            write(cx, place, &folder.join(&member.name), &object, passed).await?;
        }
    }
    Ok(())
}
