//! `images.save`: the live images of an asset as one archive in the run's folder, read back layer by layer.

use super::engine::Engine;
use super::{ASSET, LIVE, Live};
use crate::model::id::AssetId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::proof::forms::images::{Image as Saved, Images};
use crate::proof::forms::tar;
use crate::tasks::artefact::{self, Artefact};
use crate::tasks::context::TaskContext;
use crate::tasks::disk::free_bytes;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::progress::telling;
use crate::tasks::reach::Reach;
use crate::tasks::tarball::{Form, Packer};
use serde::Deserialize;
use serde_json::json;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Save;

static SPEC: ModuleSpec = ModuleSpec {
    name: "images.save",
    summary: "Save the live images of an asset as an archive in the run's folder, and hold every layer to its digest",
    effect: Effect::Reversible,
    inputs: &[
        ASSET,
        LIVE,
        InputSpec { name: "file", kind: InputKind::Text, required: true, help: "Name of the file in the run's folder" },
        InputSpec {
            name: "form",
            kind: InputKind::Text,
            required: true,
            help: "tar, tar-gzip or tar-zstd: what the name of the backup promises",
        },
    ],
    outputs: &["bytes", "sha256", "images", "layers"],
    idempotent: true,
    undo: "backup.discard removes the file from the run's folder",
    programs: &["ssh", "docker"],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    live: Live,
    file: String,
    form: Form,
}

#[async_trait::async_trait]
impl Module for Save {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::RunFolder)
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(save(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("the archive is made again from the beginning".to_owned())
    }
}

async fn save(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let engine = Engine::of(cx, &input.asset)?;
    let path = artefact::path(cx, &input.file)?;
    let (part, file) = artefact::fresh(&path)?;
    let made = async {
        let before = same_images(&engine, &input.live).await?;
        pack(&engine, input.form, &part, file).await?;
        let layers = compare(&engine, &read_back(input.form, &part).await?, &before)?;
        Ok::<_, Stop>((layers, Artefact::finish(cx, &path).await?))
    };
    let (layers, made) = match made.await {
        Ok(made) => made,
        Err(stop) => {
            let _ = artefact::remove(cx, &input.file);
            return Err(stop);
        }
    };
    let images = engine.live.names.len();
    cx.feed.line(format!("images: {images}, layers: {layers}, {}, SHA-256 {}", ByteCount(made.bytes), made.sha256));
    Ok(values(json!({ "bytes": made.bytes, "sha256": made.sha256, "images": images, "layers": layers })))
}

/// Layers of each image, which must be the one of the plan.
async fn same_images(engine: &Engine<'_>, live: &Live) -> Result<Vec<(String, Vec<String>)>, Stop> {
    let mut found = Vec::new();
    for name in &engine.live.names {
        let image = engine.image(name).await?.ok_or_else(|| {
            Failure::new(format!("{} has no image {name}", engine.title()))
                .means("a backup without it would look whole; nothing was made")
                .next("restore it, or take its name out of [assets.images]")
        })?;
        if live.get(name) != Some(&Some(image.id.clone())) {
            return Err(Failure::new(format!("{name} is not the image of the plan any more"))
                .means("it was built or pulled anew meanwhile; nothing was made")
                .next("make a new plan")
                .into());
        }
        found.push((name.clone(), image.layers().to_vec()));
    }
    Ok(found)
}

async fn pack(engine: &Engine<'_>, form: Form, part: &Path, file: File) -> Result<(), Stop> {
    let full = |error: std::io::Error| {
        Failure::new(format!("the archive could not be written: {error}"))
            .means("no backup was made")
            .next("make room where Relight keeps its state, then retry")
    };
    let mut packer = Packer::new(form, file).map_err(full)?;
    let (read, mut broken) = (AtomicU64::new(0), None);
    let mut take = |chunk: &[u8]| {
        read.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        let room = free_bytes(part).map_or(u64::MAX, |free| free);
        let written = if room < chunk.len() as u64 {
            Err(full(std::io::ErrorKind::StorageFull.into()))
        } else {
            packer.write(chunk).map_err(full)
        };
        // The line to the host hears only that somebody let go.
        written.inspect_err(|failure| broken = Some(failure.clone()))
    };
    let look =
        || Progress { done: read.load(Ordering::Relaxed), total: None, unit: Unit::Bytes, note: "saving".to_owned() };
    let saved = telling(engine.cx, look, engine.save(&engine.live.names, &mut take)).await;
    if let Some(failure) = broken {
        return Err(failure.into());
    }
    saved?
        .success("saving the images", engine.host)
        .map_err(|failure| failure.means("no backup was made").next("see whether the engine runs, and what it says"))?;
    Ok(packer.finish().map_err(full)?)
}

async fn read_back(form: Form, part: &Path) -> Result<Vec<Saved>, Stop> {
    let part = part.to_owned();
    let damaged = |what: String| {
        Failure::new(format!("the archive does not read back: {what}"))
            .means("no backup was made")
            .next("retry; if it happens again, look at the disk of Relight's state folder, and at the engine's log")
    };
    let reading = tokio::task::spawn_blocking(move || {
        let mut images = Images::default();
        let archive = form.open(&part).map_err(|error| damaged(error.to_string()))?;
        tar::walk(archive, &mut images).map_err(|fault| damaged(fault.to_string()))?;
        let held = images.finish().map_err(|fault| damaged(fault.to_string()))?;
        held.ok_or_else(|| damaged("it holds no images".to_owned()))
    });
    Ok(reading.await.map_err(|error| Failure::new(format!("reading the archive back broke: {error}")))??)
}

/// Every image of the asset is in the archive, with the layers that the engine has. Their number.
fn compare(engine: &Engine<'_>, saved: &[Saved], live: &[(String, Vec<String>)]) -> Result<usize, Failure> {
    let mut count = 0;
    for (name, layers) in live {
        let held = saved.iter().find(|image| image.names.contains(name));
        if held.is_none_or(|image| image.layers != *layers) {
            return Err(Failure::new(format!("the archive does not hold {name} as {} has it", engine.title()))
                .means("it was built or pulled anew while it was saved; no backup was made")
                .next("make a new plan"));
        }
        count += layers.len();
    }
    Ok(count)
}
