//! `models.compare`: a registry on disk against the manifest of the backup that it came from.

use super::live::Reader;
use super::manifest::{Listed, Pinned, open};
use crate::model::registry::Expected;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::files::folder::{Note, Place, failed};
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::progress::telling;
use crate::tasks::restored;
use crate::tasks::source::Source;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Compare;

static SPEC: ModuleSpec = ModuleSpec {
    name: "models.compare",
    summary: "Hold a registry on disk to the manifest of its backup: every file, nothing missing, nothing besides",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "folder", kind: InputKind::Text, required: true, help: "Absolute path of the registry" },
        InputSpec { name: "source", kind: InputKind::Table, required: true, help: "Output of backup.resolve" },
        InputSpec { name: "manifest", kind: InputKind::Table, required: true, help: "Output of models.manifest" },
    ],
    outputs: &["models", "files", "bytes"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

/// Differences that are named; all are counted.
const SHOWN: usize = 40;

#[derive(Deserialize)]
struct Input {
    folder: PathBuf,
    source: Source,
    manifest: Pinned,
}

#[async_trait::async_trait]
impl Module for Compare {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(compare(cx, input).await)
    }
}

async fn compare(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let Pinned { store, path, sha256 } = &input.manifest;
    let listed = open(cx, store, path, &input.source).await?;
    if listed.sha256 != *sha256 {
        return Err(Failure::new(format!("the manifest `{}` is not that of the plan any more", escaped(path)))
            .means("what the backup must hold was changed; nothing was compared")
            .next("find out who wrote it, then make a new plan")
            .into());
    }
    let found = on_disk(cx, &input, listed.bytes()).await?;
    verdict(&listed, &found)?;
    let (files, bytes) = (listed.files.len(), listed.bytes());
    // Only the folder that this run unpacked shows that the backup can be restored.
    if Note::read(cx, &input.folder).is_some_and(|note| note.complete.is_some()) {
        let detail = format!("unpacked and held to its manifest: {} models, {files} files", listed.models);
        restored::record(cx, &input.source, None, &detail)?;
    }
    cx.feed.line(format!("{} models, {files} files, {}: as the manifest says", listed.models, ByteCount(bytes)));
    Ok(values(json!({ "models": listed.models, "files": files, "bytes": bytes })))
}

/// Every file of the folder by its place in the backup.
async fn on_disk(cx: &TaskContext, input: &Input, total: u64) -> Result<BTreeMap<String, Expected>, Stop> {
    let (place, [name]) = Place::open([&input.folder])?;
    let root = place.dir.open_dir(&name).map_err(|error| {
        failed(&format!("opening {}", place.show(&name)), &error).means("there is nothing to compare")
    })?;
    let passed = Arc::new(AtomicU64::new(0));
    let look = || Progress {
        done: passed.load(Ordering::Relaxed),
        total: Some(total),
        unit: Unit::Bytes,
        note: "reading the models".to_owned(),
    };
    let (cancel, counter) = (cx.cancel.clone(), Arc::clone(&passed));
    let reading = tokio::task::spawn_blocking(move || Reader { cancel: &cancel, passed: &counter }.below(&root));
    let reading =
        async { reading.await.map_err(|error| Failure::new(format!("reading the registry broke: {error}")))? };
    let files = telling(cx, look, reading).await?;
    let expected = |file: crate::model::registry::ModelFile| {
        (file.relative_path, Expected { size: file.size, sha256: Some(file.checksum) })
    };
    Ok(files.into_iter().map(expected).collect())
}

fn verdict(listed: &Listed, found: &BTreeMap<String, Expected>) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for (path, expected) in &listed.files {
        let shown = escaped(path);
        match found.get(path) {
            None => problems.push(format!("{shown} is missing")),
            Some(file) if file.size != expected.size => {
                problems.push(format!("{shown} has {} bytes, {} are listed", file.size, expected.size));
            }
            Some(_) if expected.sha256.is_none() => problems.push(format!("{shown} has no checksum in the manifest")),
            Some(file) if file.sha256 != expected.sha256 => {
                problems.push(format!("{shown} does not have the checksum that is listed"));
            }
            Some(_) => {}
        }
    }
    let besides = found.keys().filter(|path| !listed.files.contains_key(*path));
    problems.extend(besides.map(|path| format!("{} is not listed", escaped(path))));
    if problems.is_empty() {
        return Ok(());
    }
    let failure = Failure::new(format!(
        "the registry has {} files, the manifest lists {}; they differ in {} points",
        found.len(),
        listed.files.len(),
        problems.len()
    ))
    .means("it is not the registry that was backed up")
    .next("retry the step before, or choose another backup");
    Err(problems.into_iter().take(SHOWN).fold(failure, Failure::evidence))
}
