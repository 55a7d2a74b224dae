//! `crypt.encrypt`: the run's file, encrypted beside itself. The plaintext stays until the other has been opened again.

use super::command;
use super::target::{FILE, KEY, SEALED, key};
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::tasks::artefact::{self, Artefact};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use crate::tasks::process::{self, Input as Fed, Output, Program};
use crate::tasks::progress::telling;
use crate::tasks::reach::Reach;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::io::ReaderStream;

pub struct Encrypt;

static SPEC: ModuleSpec = ModuleSpec {
    name: "crypt.encrypt",
    summary: "Encrypt the run's file with a key of the configuration, beside the plaintext",
    effect: Effect::Reversible,
    inputs: &[FILE, SEALED, KEY],
    outputs: &["bytes", "sha256", "key"],
    idempotent: true,
    undo: "backup.discard removes the encrypted file from the run's folder",
    programs: &["gpg", "age"],
};

const CHUNK: usize = 256 << 10;

#[derive(Deserialize)]
struct Input {
    file: String,
    sealed: String,
    key: String,
}

#[async_trait::async_trait]
impl Module for Encrypt {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::RunFolder)
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(encrypt(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("the file is encrypted again from the beginning".to_owned())
    }
}

async fn encrypt(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let key = key(cx, &input.key)?;
    let (plain, made) = Artefact::of(cx, &input.file)?;
    let path = artefact::path(cx, &input.sealed)?;
    if path == plain {
        return Err(Failure::new("the encrypted file has the plaintext's name").means("nothing was done").into());
    }
    let (part, file) = artefact::fresh(&path)?;
    let done = async {
        pass(cx, &key, &plain, &made, file).await?;
        Artefact::finish(cx, &path).await
    };
    match done.await {
        Ok(sealed) => {
            cx.feed.line(format!("encrypted with {key}"));
            Ok(values(json!({ "bytes": sealed.bytes, "sha256": sealed.sha256, "key": key.id })))
        }
        Err(stop) => {
            let _ = std::fs::remove_file(part);
            Err(stop)
        }
    }
}

async fn pass(
    cx: &TaskContext,
    key: &crate::model::key::Key,
    plain: &Path,
    made: &Artefact,
    mut into: File,
) -> Result<(), Stop> {
    let (secrets, asked) = (Arc::clone(&cx.secrets), key.clone());
    let ready = tokio::task::spawn_blocking(move || command::encrypting(&asked, &*secrets))
        .await
        .map_err(|error| Failure::new(format!("preparing the key broke: {error}")))?
        .map_err(|why| {
            Failure::new(why)
                .means("nothing was encrypted; the plaintext is in the run's folder alone")
                .next("`relight doctor` says whether the key can be read; mend that, then retry")
        })?;
    let broken = |error: std::io::Error| {
        Failure::new(format!("the encrypted file could not be written: {error}"))
            .means("no backup was made; the plaintext is in the run's folder alone")
            .next("make room where Relight keeps its state, then retry")
    };
    let file = tokio::fs::File::open(plain).await.map_err(broken)?;
    let passed = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&passed);
    let stream = ReaderStream::with_capacity(file, CHUNK).map(move |piece| {
        let piece = piece.map_err(broken)?;
        counted.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok(piece)
    });
    let mut take = |chunk: &[u8]| into.write_all(chunk).map_err(broken);
    let look = || Progress {
        done: passed.load(Ordering::Relaxed),
        total: Some(made.bytes),
        unit: Unit::Bytes,
        note: "encrypting".to_owned(),
    };
    let program = Program::new(&ready.path).args(ready.args.clone());
    let fed = Some(Fed { stream: stream.boxed(), whole: true });
    let mut silent = |_: &str| false;
    let running = process::run_listening(program, fed, Output::Chunks(&mut take), &mut silent, cx);
    telling(cx, look, running).await?.success().map_err(|failure| {
        failure
            .means("no backup was made; the plaintext is in the run's folder alone")
            .next("see what the program says about the key, mend that, and retry")
    })?;
    drop(ready);
    if passed.load(Ordering::Relaxed) != made.bytes {
        return Err(Failure::new("the plaintext changed while it was encrypted").next("start again").into());
    }
    into.sync_all().map_err(broken)?;
    Ok(())
}
