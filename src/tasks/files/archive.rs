//! `files.archive`: the live folder as a tar archive in the run's folder, read back to its end and counted.

use super::folder::{FolderId, Place, amount_of, failed};
use super::trees::Tree;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::artefact::{self, Artefact};
use crate::tasks::context::TaskContext;
use crate::tasks::disk::free_bytes;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Amount, Counts, InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::process::{self, Output, Program};
use crate::tasks::progress::telling;
use crate::tasks::reach::Reach;
use crate::tasks::tarball::{Form, Packer};
use serde::Deserialize;
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Archive;

static SPEC: ModuleSpec = ModuleSpec {
    name: "files.archive",
    summary: "Pack the live folder into an archive in the run's folder, and read the archive back",
    effect: Effect::Reversible,
    inputs: &[
        InputSpec { name: "target", kind: InputKind::Text, required: true, help: "Absolute path of the live folder" },
        InputSpec {
            name: "live_id",
            kind: InputKind::Text,
            required: false,
            help: "Identity of the folder in the plan; needed where there are no `trees`",
        },
        InputSpec {
            name: "trees",
            kind: InputKind::List,
            required: false,
            help: "`trees` of files.inspect: packed in place of `target`, by their whole names",
        },
        InputSpec { name: "file", kind: InputKind::Text, required: true, help: "Name of the file in the run's folder" },
        InputSpec {
            name: "form",
            kind: InputKind::Text,
            required: true,
            help: "tar, tar-gzip or tar-zstd: what the name of the backup promises",
        },
        InputSpec {
            name: "exclude",
            kind: InputKind::Text,
            required: false,
            help: "Patterns of names to leave out, with commas between: *.tmp, cache",
        },
        InputSpec {
            name: "min_files",
            kind: InputKind::Integer,
            required: false,
            help: "Fewest believable files; default 1",
        },
    ],
    outputs: &["bytes", "sha256", "files", "content_bytes"],
    idempotent: true,
    undo: "backup.discard removes the file from the run's folder",
    programs: &["tar"],
};

#[derive(Deserialize)]
struct Input {
    target: PathBuf,
    #[serde(default)]
    live_id: Option<FolderId>,
    #[serde(default)]
    trees: Vec<Tree>,
    file: String,
    form: Form,
    #[serde(default)]
    exclude: Option<String>,
    #[serde(default)]
    min_files: Option<u64>,
}

impl Input {
    /// What is packed, each with its identity in the plan.
    fn folders(&self) -> Result<Vec<Tree>, Failure> {
        if !self.trees.is_empty() {
            return Ok(self.trees.clone());
        }
        let live_id = self.live_id.clone().ok_or_else(|| {
            Failure::new(format!("{} was not there when the plan was made", escaped(&self.target.to_string_lossy())))
                .means("there is nothing to back up; nothing was done")
                .next("restore the folder if it was lost, or make a new plan")
        })?;
        Ok(vec![Tree { path: self.target.clone(), live_id }])
    }

    /// Where tar goes, and what it packs there: several folders keep their whole names, without the slash.
    fn below(&self) -> (&Path, Vec<&Path>) {
        if self.trees.is_empty() {
            return (&self.target, vec![Path::new(".")]);
        }
        let names = self.trees.iter().filter_map(|tree| tree.path.strip_prefix("/").ok());
        (Path::new("/"), names.collect())
    }
}

#[async_trait::async_trait]
impl Module for Archive {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::RunFolder)
    }

    fn counts(&self) -> Counts {
        Counts::BOTH
    }

    /// The folder as it is; what patterns leave out of the archive is counted, too.
    async fn count(&self, cx: &TaskContext, input: &Values) -> Result<Amount, Stop> {
        let input: Input = read(input)?;
        let (mut objects, mut bytes) = (0, 0);
        for tree in input.folders()? {
            let (place, [name]) = Place::open([&tree.path])?;
            let held = amount_of(cx, place, vec![name]).await?;
            objects += held.objects.unwrap_or_default();
            bytes += held.bytes.unwrap_or_default();
        }
        Ok(Amount { objects: Some(objects), bytes: Some(bytes) })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(archive(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("the archive is made again from the beginning".to_owned())
    }
}

async fn archive(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let path = artefact::path(cx, &input.file)?;
    same_folders(&input)?;
    let (part, file) = artefact::fresh(&path)?;
    let made = async {
        pack(cx, &input, &part, file).await?;
        let (files, bytes) = count(cx, input.form, &part).await?;
        let least = input.min_files.unwrap_or(1);
        if files < least {
            return Err(Failure::new(format!(
                "{} has {files} files to back up; at least {least} are believable",
                escaped(&input.target.to_string_lossy())
            ))
            .means("it is emptied, or another folder than meant; a backup of it would push good ones out")
            .next("look at the folder; restore it if it was lost")
            .into());
        }
        Ok::<_, Stop>((files, bytes, Artefact::finish(cx, &path).await?))
    };
    let (files, bytes, made) = match made.await {
        Ok(made) => made,
        Err(stop) => {
            let _ = artefact::remove(cx, &input.file);
            return Err(stop);
        }
    };
    cx.feed.line(format!("{files} files, {} packed to {}", ByteCount(bytes), ByteCount(made.bytes)));
    Ok(values(json!({ "bytes": made.bytes, "sha256": made.sha256, "files": files, "content_bytes": bytes })))
}

fn same_folders(input: &Input) -> Result<(), Failure> {
    for tree in input.folders()? {
        let (place, [name]) = Place::open([&tree.path])?;
        if !place.find(&name)?.is(&tree.live_id) {
            return Err(Failure::new(format!("{} is not the folder of the plan any more", place.show(&name)))
                .means("nothing was done")
                .next("look what happened there, then make a new plan"));
        }
    }
    Ok(())
}

async fn pack(cx: &TaskContext, input: &Input, part: &Path, file: File) -> Result<(), Stop> {
    let full = |error: std::io::Error| {
        Failure::new(format!("the archive could not be written: {error}"))
            .means("no backup was made")
            .next("make room where Relight keeps its state, then retry")
    };
    let tar = process::find_program("tar", None, &[])
        .ok_or_else(|| Failure::new("`tar` was not found").next("install it on this machine"))?;
    let excluded =
        input.exclude.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
    let (folder, packed) = input.below();
    let program = Program::new(tar)
        .args(["--create", "--file=-", "--format=posix", "--numeric-owner", "--sort=name"])
        .args(excluded.map(|pattern| format!("--exclude={pattern}")))
        .arg("--directory")
        .arg(folder)
        .arg("--")
        .args(packed);
    let mut packer = Packer::new(input.form, file).map_err(full)?;
    let read = AtomicU64::new(0);
    let mut take = |chunk: &[u8]| {
        read.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        if free_bytes(part).is_ok_and(|free| free < chunk.len() as u64) {
            return Err(full(std::io::ErrorKind::StorageFull.into()));
        }
        packer.write(chunk).map_err(full)
    };
    let look =
        || Progress { done: read.load(Ordering::Relaxed), total: None, unit: Unit::Bytes, note: "packing".to_owned() };
    let ended = telling(cx, look, process::run(program, None, Output::Chunks(&mut take), cx)).await?;
    ended.success().map_err(|failure| {
        let (means, next) = if ended.status.code() == Some(1) {
            ("files changed while they were read: the archive is not of one moment", "retry when the folder is quiet")
        } else {
            ("the folder could not be read as a whole; no backup was made", "see what it says, mend that, and retry")
        };
        failure.means(means).next(next)
    })?;
    packer.finish().map_err(full)?;
    Ok(())
}

/// Reads the archive to its end: regular files (and links to them), and their bytes.
async fn count(cx: &TaskContext, form: Form, part: &Path) -> Result<(u64, u64), Stop> {
    let (part, cancel) = (part.to_owned(), cx.cancel.clone());
    let damaged = |error: std::io::Error| failed("reading the archive back", &error).means("no backup was made");
    let counting = tokio::task::spawn_blocking(move || {
        let mut archive = tar::Archive::new(form.open(&part).map_err(damaged)?);
        let (mut files, mut bytes) = (0, 0);
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            if let Some(reason) = cancel.reason() {
                return Err(Stop::Cancelled(reason));
            }
            let kind = entry.header().entry_type();
            let passed = std::io::copy(&mut entry, &mut std::io::sink()).map_err(damaged)?;
            if kind.is_file() || kind.is_hard_link() || kind.is_gnu_sparse() {
                files += 1;
                bytes += passed;
            }
        }
        std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(damaged)?;
        Ok((files, bytes))
    });
    counting.await.map_err(|error| Failure::new(format!("reading the archive back broke: {error}")))?
}
