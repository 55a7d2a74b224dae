//! `images.load`: the images of a backup in their engine, under a dated tag beside the live one.

use super::engine::{Engine, short};
use super::note::Note;
use super::relabel::Relabel;
use super::{ASSET, SIDE, room};
use crate::model::id::AssetId;
use crate::model::images::retagged;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::proof::forms::images::Image;
use crate::tasks::context::TaskContext;
use crate::tasks::files::members::{Limits, Seen, walk};
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::outlet::{CUT, Outlet, pipe};
use crate::tasks::progress::telling;
use crate::tasks::reach::{Makes, Reach};
use crate::tasks::restored;
use crate::tasks::source::Source;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

pub struct Load;

static SPEC: ModuleSpec = ModuleSpec {
    name: "images.load",
    summary: "Load the images of a backup into their engine under a dated tag; no live name moves",
    effect: Effect::Costly,
    inputs: &[
        ASSET,
        SIDE,
        InputSpec { name: "source", kind: InputKind::Table, required: true, help: "Output of backup.resolve" },
    ],
    outputs: &["loaded", "layers"],
    idempotent: true,
    undo: "images.remove-side takes the dated names away",
    programs: &["ssh", "docker"],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    side: String,
    source: Source,
}

const LIMITS: Limits = Limits { members: 100_000, bytes: u64::MAX / 2, strip: 0, inside: PathBuf::new() };

#[async_trait::async_trait]
impl Module for Load {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Images { asset: "asset", tag: "side" })
    }

    fn makes(&self) -> Option<Makes> {
        let (remove, probe) = ("images.remove-side", "images.side-gone");
        Some(Makes { what: "images tagged", named_by: "side", remove, probe })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(load(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let engine = Engine::of(cx, &input.asset)?;
            let note = Note::read(cx, &input.side).filter(|note| !note.loaded.is_empty());
            let Some(note) = note else {
                return Ok::<_, Stop>(Reality::NotDone("they are not all loaded; loading begins anew".to_owned()));
            };
            for (name, id) in &note.loaded {
                let side = retagged(name, &input.side);
                if engine.image(&side).await?.is_none_or(|image| image.id != *id) {
                    return Ok(Reality::NotDone(format!("{side} is not there any more")));
                }
            }
            Ok(Reality::Done(values(json!({ "loaded": note.loaded, "layers": null }))))
        };
        looking.await.unwrap_or_else(Reality::from)
    }
}

async fn load(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let engine = Engine::of(cx, &input.asset)?;
    if Note::read(cx, &input.side).is_none() {
        free(&engine, &input.side).await?;
    }
    room::for_archive(&engine, &input.source).await?;
    let mut note = Note { side: input.side.clone(), loaded: BTreeMap::new() };
    note.write(cx)?;
    let saved = hand_over(&engine, &input).await?;
    for (name, image) in &saved {
        note.loaded.insert(name.clone(), arrived(&engine, &retagged(name, &input.side), image).await?);
    }
    note.write(cx)?;
    let layers: usize = saved.values().map(|image| image.layers.len()).sum();
    let shown: Vec<String> = note.loaded.iter().map(|(name, id)| format!("{name} as {}", short(id))).collect();
    let detail = format!("{} has {}, every layer as in the backup", engine.title(), shown.join(", "));
    cx.feed.line(detail.clone());
    restored::record(cx, &input.source, None, &detail)?;
    Ok(values(json!({ "loaded": note.loaded, "layers": layers })))
}

/// The dated names must be nobody's.
async fn free(engine: &Engine<'_>, tag: &str) -> Result<(), Stop> {
    for name in &engine.live.names {
        let side = retagged(name, tag);
        if engine.image(&side).await?.is_some() {
            return Err(Failure::new(format!("{} has an image {side} already", engine.title()))
                .means("it was not made by this run; it was left alone, and nothing was loaded")
                .next("find out whose it is; a new plan has another name")
                .into());
        }
    }
    Ok(())
}

/// The archive goes to the engine while it is read; what it holds, by name.
async fn hand_over(engine: &Engine<'_>, input: &Input) -> Result<BTreeMap<String, Image>, Stop> {
    let cx = engine.cx;
    let (outlet, feed) = pipe();
    let seen = Seen::default();
    let look = || Progress {
        done: seen.bytes.load(Ordering::Relaxed),
        total: Some(input.source.size_bytes),
        unit: Unit::Bytes,
        note: "loading".to_owned(),
    };
    let reading = telling(cx, look, relabelled(engine, input, &seen, outlet));
    match tokio::join!(reading, engine.load(feed)) {
        (Err(stop), _) if stop.what() != CUT => Err(stop),
        (read, loaded) => {
            loaded?.success("loading the images", engine.host).map_err(|failure| {
                failure.means("they are not all there; no live name was touched").next("see what the engine says")
            })?;
            read
        }
    }
}

async fn relabelled(
    engine: &Engine<'_>,
    input: &Input,
    seen: &Seen,
    outlet: Outlet,
) -> Result<BTreeMap<String, Image>, Stop> {
    let relabel = Relabel::new(outlet, &engine.live.names, &input.side);
    let relabel = walk(engine.cx, &input.source, LIMITS, seen, relabel).await?;
    // On a thread of its own: what it writes is taken up by another program.
    let finished = tokio::task::spawn_blocking(move || relabel.finish()).await;
    Ok(finished.map_err(|error| Failure::new(format!("the loading thread broke: {error}")))??)
}

/// What the engine made of an image: its id there.
async fn arrived(engine: &Engine<'_>, side: &str, saved: &Image) -> Result<String, Stop> {
    let missing = |what: String| {
        Failure::new(what)
            .means("the engine did not make of the backup what is in it; no live name was touched")
            .next("see what the engine says in its log, then retry")
    };
    let image = engine.image(side).await?;
    let image = image.ok_or_else(|| missing(format!("{} took the archive, and has no {side}", engine.title())))?;
    if image.layers() != saved.layers.as_slice() {
        let what = format!("{} has other layers under {side} than the backup", engine.title());
        return Err(missing(what).evidence(format!("there {}", escaped(&image.layers().join(", ")))).into());
    }
    // Engines that keep images by their manifests call them otherwise than by their configuration.
    if image.id.strip_prefix("sha256:").unwrap_or(&image.id) != saved.id {
        engine.cx.feed.line(format!("the engine calls image {} {}", short(&saved.id), short(&image.id)));
    }
    Ok(image.id)
}
