//! `models.collect`: every file of the live registry read and hashed, as a manifest in the run's folder.

use super::live::{Reader, amounts};
use crate::model::registry::Registry;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::artefact::{self, Artefact};
use crate::tasks::context::TaskContext;
use crate::tasks::files::folder::{FolderId, Place, amount_of, failed};
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Amount, Counts, InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::progress::telling;
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Collect;

static SPEC: ModuleSpec = ModuleSpec {
    name: "models.collect",
    summary: "Read every file of the live registry, and write their manifest into the run's folder",
    effect: Effect::Reversible,
    inputs: &[
        InputSpec { name: "target", kind: InputKind::Text, required: true, help: "Absolute path of the live registry" },
        InputSpec {
            name: "live_id",
            kind: InputKind::Text,
            required: true,
            help: "Identity of the folder in the plan",
        },
        InputSpec {
            name: "file",
            kind: InputKind::Text,
            required: true,
            help: "Name of the manifest in the run's folder",
        },
        InputSpec {
            name: "min_models",
            kind: InputKind::Integer,
            required: false,
            help: "Fewest believable models; default 1",
        },
    ],
    outputs: &["models", "files", "bytes", "sha256"],
    idempotent: true,
    undo: "backup.discard removes the manifest from the run's folder",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    target: PathBuf,
    live_id: FolderId,
    file: String,
    #[serde(default)]
    min_models: Option<usize>,
}

#[async_trait::async_trait]
impl Module for Collect {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::RunFolder)
    }

    fn counts(&self) -> Counts {
        Counts::BOTH
    }

    async fn count(&self, cx: &TaskContext, input: &Values) -> Result<Amount, Stop> {
        let input: Input = read(input)?;
        let (place, [name]) = Place::open([&input.target])?;
        amount_of(cx, place, vec![name]).await
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(collect(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("the registry is read again from the beginning".to_owned())
    }
}

async fn collect(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let path = artefact::path(cx, &input.file)?;
    let (place, [name]) = Place::open([&input.target])?;
    if !place.find(&name)?.is(&input.live_id) {
        return Err(Failure::new(format!("{} is not the folder of the plan any more", place.show(&name)))
            .means("nothing was done")
            .next("look what happened there, then make a new plan")
            .into());
    }
    let root = place.dir.open_dir(&name).map_err(|error| failed("opening the live registry", &error))?;
    let passed = Arc::new(AtomicU64::new(0));
    let look = || Progress {
        done: passed.load(Ordering::Relaxed),
        total: None,
        unit: Unit::Bytes,
        note: "reading the models".to_owned(),
    };
    let (cancel, target, counter) = (cx.cancel.clone(), input.target.clone(), Arc::clone(&passed));
    let reading =
        tokio::task::spawn_blocking(move || Reader { cancel: &cancel, passed: &counter }.registry(&root, &target));
    let reading =
        async { reading.await.map_err(|error| Failure::new(format!("reading the registry broke: {error}")))? };
    let began = cx.clock.now();
    let models = telling(cx, look, reading).await?;
    if models.len() < input.min_models.unwrap_or(1) {
        let what = format!("the registry holds {} models, fewer than believable", models.len());
        return Err(Failure::new(what)
            .means("a backup of it would push good ones out; nothing was published")
            .next("look at the registry; restore what was lost")
            .into());
    }
    let (files, bytes) = amounts(&models);
    let count = models.len();
    let registry = Registry {
        backup_timestamp: began.format("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
        registry_path: input.target.to_string_lossy().into_owned(),
        models,
    };
    let text = serde_json::to_vec_pretty(&registry).map_err(|error| Failure::new(error.to_string()))?;
    let (_, mut file) = artefact::fresh(&path)?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(|error| {
        failed("writing the manifest", &error).means("no backup was made").next("make room in Relight's state folder")
    })?;
    let made = Artefact::finish(cx, &path).await?;
    let shown = escaped(&input.target.to_string_lossy()).into_owned();
    cx.feed.line(format!("{count} models in {shown}: {files} files, {}", ByteCount(bytes)));
    Ok(values(json!({ "models": count, "files": files, "bytes": bytes, "sha256": made.sha256 })))
}
