//! `models.publish`: the files of the manifest from the live registry into every store, each read back, the manifest last.

use super::place::{PLACES, RunPlace};
use crate::model::registry::{Expected, Registry};
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::artefact::Artefact;
use crate::tasks::backup::place::{FILE, Place, published};
use crate::tasks::backup::written::{self, LEAST_PERCENT, PREVIOUS_BYTES, holds, put, room};
use crate::tasks::context::TaskContext;
use crate::tasks::files::folder::{self, FolderId};
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::progress::telling;
use crate::tasks::source::store_failure;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Publish;

static SPEC: ModuleSpec = ModuleSpec {
    name: "models.publish",
    summary: "Write the files of a registry and their manifest to every store of its asset, and read them back",
    effect: Effect::Reversible,
    inputs: &[
        InputSpec { name: "target", kind: InputKind::Text, required: true, help: "Absolute path of the live registry" },
        InputSpec {
            name: "live_id",
            kind: InputKind::Text,
            required: true,
            help: "Identity of the folder in the plan",
        },
        FILE,
        PLACES,
        PREVIOUS_BYTES,
        LEAST_PERCENT,
    ],
    outputs: &["files", "bytes", "published"],
    idempotent: true,
    undo: "none: stores only take new objects; without its manifest a folder counts as incomplete",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    target: PathBuf,
    live_id: FolderId,
    file: String,
    places: Vec<RunPlace>,
    #[serde(flatten)]
    expected: written::Expected,
}

#[async_trait::async_trait]
impl Module for Publish {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, publish(cx, input)).await
    }

    /// The manifest comes last: where it lies, everything does.
    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let work = Work::of(cx, &input)?;
            for run in &input.places {
                if !holds(cx, &run.place, &run.manifest, work.made.bytes, &work.made.sha256).await? {
                    return Ok(Reality::NotDone(format!(
                        "store `{}` does not have the manifest yet; what is there stays",
                        run.place.store
                    )));
                }
            }
            Ok::<_, Stop>(Reality::Done(work.output(&input.places)))
        };
        look.await.unwrap_or_else(Reality::from)
    }
}

/// What is to be published.
struct Work {
    /// The manifest in the run's folder.
    manifest: PathBuf,
    made: Artefact,
    files: BTreeMap<String, Expected>,
    passed: Arc<AtomicU64>,
}

impl Work {
    fn of(cx: &TaskContext, input: &Input) -> Result<Self, Failure> {
        let (manifest, made) = Artefact::of(cx, &input.file)?;
        let text = std::fs::read(&manifest)
            .map_err(|error| Failure::new(format!("the run's manifest cannot be read: {error}")))?;
        let files = Registry::parse(&text).and_then(|registry| registry.files(None));
        let files = files.map_err(|why| Failure::new(format!("the run's manifest is of no use: {why}")))?;
        Ok(Self { manifest, made, files, passed: Arc::default() })
    }

    fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }

    fn output(&self, places: &[RunPlace]) -> Values {
        let published = published(places.iter().map(|run| &run.place));
        values(json!({ "files": self.files.len(), "bytes": self.bytes(), "published": published }))
    }
}

async fn publish(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let work = Work::of(cx, &input)?;
    let (parent, [name]) = folder::Place::open([&input.target])?;
    if !parent.find(&name)?.is(&input.live_id) {
        return Err(Failure::new(format!("{} is not the folder of the plan any more", parent.show(&name)))
            .means("nothing was published")
            .next("look what happened there, then make a new plan")
            .into());
    }
    let bytes = work.bytes();
    input.expected.believes(bytes, input.places.iter().map(|run| &run.place))?;
    for run in &input.places {
        run.place.writable(cx)?;
        room(cx, &run.place, bytes)?;
    }
    let total = bytes * 2 * input.places.len() as u64;
    for run in &input.places {
        let look = || Progress {
            done: work.passed.load(Ordering::Relaxed),
            total: Some(total),
            unit: Unit::Bytes,
            note: format!("to {}", run.place.store),
        };
        let done = telling(cx, look, place_one(cx, run, &input.target, &work)).await;
        done.map_err(|stop| stop.evidence("files that were already written stay; a retry goes on with the others"))?;
        cx.feed.line(format!("{} files are in store `{}`, read back", work.files.len(), run.place.store));
    }
    Ok(work.output(&input.places))
}

async fn place_one(cx: &TaskContext, run: &RunPlace, live: &Path, work: &Work) -> Result<(), Stop> {
    for (below, expected) in &work.files {
        object(cx, &run.place, work, &format!("{}{below}", run.place.path), &live.join(below), expected).await?;
    }
    nothing_besides(cx, run, work).await?;
    let made = Expected { size: work.made.bytes, sha256: Some(work.made.sha256.clone()) };
    object(cx, &run.place, work, &run.manifest, &work.manifest, &made).await
}

/// One object, written under a new name and read back.
async fn object(
    cx: &TaskContext,
    place: &Place,
    work: &Work,
    name: &str,
    file: &Path,
    expected: &Expected,
) -> Result<(), Stop> {
    let sha256 = expected.sha256.clone().unwrap_or_default();
    let found = put(cx, place, file, &(name.to_owned(), sha256.clone(), expected.size), &work.passed).await?;
    if found == sha256 {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` in store `{}` is not what the manifest says", escaped(name), place.store))
        .means("the file was changed while the backup was made, or the store gives other bytes back than it was given; the backup gets no manifest and counts as incomplete")
        .next("make a new plan when nothing writes to the registry; if it happens again, look at the store")
        .evidence(format!("in the manifest {sha256}, read {found}"))
        .into())
}

/// The folder of the run holds the files of the manifest and no other.
async fn nothing_besides(cx: &TaskContext, run: &RunPlace, work: &Work) -> Result<(), Stop> {
    let (store, folder) = (run.place.store(cx)?, &run.place.path);
    let mut seen = 0;
    let mut pages = store.list(folder, None);
    while let Some(page) = pages.next().await {
        for object in page.map_err(|error| Stop::Unknown(store_failure(&error)))?.objects {
            if object.name.strip_prefix(folder.as_str()).is_none_or(|below| !work.files.contains_key(below)) {
                return Err(Failure::new(format!(
                    "store `{}` has `{}`, which is not of this backup",
                    run.place.store,
                    escaped(&object.name)
                ))
                .means("someone else writes there; the backup gets no manifest and counts as incomplete")
                .next("find out who writes there, then make a new plan")
                .into());
            }
            seen += 1;
        }
    }
    if seen == work.files.len() {
        return Ok(());
    }
    Err(Stop::Unknown(
        Failure::new(format!("store `{}` lists {seen} of {} files", run.place.store, work.files.len()))
            .means("some that were written are not shown; the backup gets no manifest yet")
            .next("retry; if it stays so, look at the store"),
    ))
}
