//! `redis.pull`: a snapshot of the live server as a file of the run, taken over the protocol and counted on the way.

use super::look;
use super::snapshot::read_along;
use super::stream;
use super::wire::{self, Session};
use crate::model::id::ServerId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::proof::forms::rdb::Snapshot;
use crate::tasks::artefact::{self, Artefact};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::progress::telling;
use crate::tasks::reach::Reach;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::json;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Pull;

static SPEC: ModuleSpec = ModuleSpec {
    name: "redis.pull",
    summary: "Take a snapshot of the live Redis over the protocol into the run's folder, and count its keys",
    effect: Effect::Costly,
    inputs: &[
        super::SERVER,
        InputSpec { name: "run_id", kind: InputKind::Text, required: true, help: "The server's run id in the plan" },
        InputSpec { name: "file", kind: InputKind::Text, required: true, help: "Name of the file in the run's folder" },
        InputSpec {
            name: "form",
            kind: InputKind::Text,
            required: true,
            help: "rdb or rdb-gzip: what the name of the backup promises",
        },
        InputSpec {
            name: "min_keys",
            kind: InputKind::Integer,
            required: false,
            help: "Fewest believable keys; default 1",
        },
    ],
    outputs: &["bytes", "sha256", "keys", "server_version"],
    idempotent: true,
    undo: "backup.discard removes the file from the run's folder",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    run_id: String,
    file: String,
    form: Form,
    #[serde(default)]
    min_keys: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Form {
    Rdb,
    RdbGzip,
}

#[async_trait::async_trait]
impl Module for Pull {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::RunFolder)
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, pull(cx, input)).await
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("the snapshot is taken again from the beginning".to_owned())
    }
}

async fn pull(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let path = artefact::path(cx, &input.file)?;
    let session = open(cx, &input).await?;
    let (_, file) = artefact::fresh(&path)?;
    let made = async {
        let (snapshot, _) = take(cx, session, input.form, file).await?;
        believable(&input, &snapshot)?;
        Ok::<_, Stop>((snapshot, Artefact::finish(cx, &path).await?))
    };
    let (snapshot, made) = match made.await {
        Ok(made) => made,
        Err(stop) => {
            // Half a snapshot helps nobody, and takes the room that a retry needs.
            let _ = artefact::remove(cx, &input.file);
            return Err(stop);
        }
    };
    cx.feed.line(format!("{} keys, {}, SHA-256 {}", snapshot.keys, ByteCount(made.bytes), made.sha256));
    Ok(values(json!({
        "bytes": made.bytes,
        "sha256": made.sha256,
        "keys": snapshot.keys,
        "server_version": snapshot.aux.get("redis-ver").or_else(|| snapshot.aux.get("valkey-ver")),
    })))
}

/// A session on the server of the plan, and no other that has come up in its place since.
async fn open(cx: &TaskContext, input: &Input) -> Result<Session, Stop> {
    let server = wire::server(cx, &input.server)?;
    let mut session = Session::open(cx, server).await?;
    let info = look::info(&mut session).await?;
    if info.get("run_id") != input.run_id || info.is_on("loading") {
        return Err(Failure::new(format!("server `{}` was restarted since the plan", server.id))
            .means("it may have come up empty; a backup of that would push good ones out; nothing was done")
            .next("look at its keys, then make a new plan")
            .into());
    }
    Ok(session)
}

async fn take(cx: &TaskContext, session: Session, form: Form, file: std::fs::File) -> Result<(Snapshot, String), Stop> {
    let (mut feed, reading) = read_along(stream::snapshot(session).await?);
    let mut out: Box<dyn Finish> = match form {
        Form::Rdb => Box::new(file),
        Form::RdbGzip => Box::new(GzEncoder::new(file, Compression::new(6))),
    };
    let passed = AtomicU64::new(0);
    let look = || Progress {
        done: passed.load(Ordering::Relaxed),
        total: None,
        unit: Unit::Bytes,
        note: "taking the snapshot".to_owned(),
    };
    let copying = async {
        while let Some(chunk) = feed.next().await {
            let chunk = chunk?;
            out.write_all(&chunk).map_err(|error| disk(&error))?;
            passed.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        out.finish().map_err(|error| disk(&error))
    };
    telling(cx, look, copying).await?;
    drop(feed);
    reading.verdict().await
}

/// A writer that has an end of its own to write.
trait Finish: Write + Send {
    fn finish(&mut self) -> std::io::Result<()>;
}

impl Finish for std::fs::File {
    fn finish(&mut self) -> std::io::Result<()> {
        self.flush()
    }
}

impl Finish for GzEncoder<std::fs::File> {
    fn finish(&mut self) -> std::io::Result<()> {
        self.try_finish()
    }
}

fn disk(error: &std::io::Error) -> Failure {
    Failure::new(format!("the run's folder could not be written: {error}"))
        .means("the backup was not made; no store was touched")
        .next("make room in Relight's state folder, and retry")
}

fn believable(input: &Input, snapshot: &Snapshot) -> Result<(), Failure> {
    let (keys, least) = (snapshot.keys.max(snapshot.announced), input.min_keys.unwrap_or(1));
    if keys >= least {
        return Ok(());
    }
    Err(Failure::new(format!("server `{}` has {keys} keys; at least {least} are believable", input.server))
        .means("it is emptied, or another server than meant; a backup of it would push good ones out")
        .next("look at the server; restore it if its keys were lost"))
}
