//! `pg.safety-dump`: the live database as it is, dumped, read back and hashed before anything changes.

use super::database;
use super::inventory;
use super::target::{CLUSTER, SERVER, Target};
use super::tools;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::tasks::artefact;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::process::{self, Output};
use crate::tasks::progress::telling;
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;

pub struct SafetyDump;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.safety-dump",
    summary: "Dump the live database into the run's folder and read the dump back",
    effect: Effect::Costly,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Live name" },
        InputSpec {
            name: "live_oid",
            kind: InputKind::Integer,
            required: false,
            help: "Object id in the plan; absent: it was not there",
        },
        InputSpec {
            name: "stamp",
            kind: InputKind::Text,
            required: true,
            help: "Time stamp of the plan, for the file's name",
        },
    ],
    outputs: &["path", "bytes", "sha256", "tables", "rows"],
    idempotent: true,
    undo: "none needed: the file stays in the run's folder",
    programs: &["pg_dump", "pg_restore"],
};

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    target: Target,
    database: String,
    #[serde(default)]
    live_oid: Option<u32>,
    stamp: String,
}

#[async_trait::async_trait]
impl Module for SafetyDump {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::RunFolder)
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(dump(cx, input).await)
    }

    /// Only a finished and read-back dump gets its final name, so a file tells nothing that a new attempt
    /// would not tell better.
    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("the dump is made again from the beginning".to_owned())
    }
}

async fn dump(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (session, server) = input.target.open(cx).await?;
    let Some(live) = database::find(&session, &input.database).await? else {
        return Err(Failure::new(format!("database `{}` is not there, so there is nothing to dump", input.database))
            .means("no copy of the present state can be made")
            .next("skip this step with that reason, if the database is known to be lost")
            .into());
    };
    if input.live_oid.is_some_and(|oid| oid != live.oid) {
        return Err(Failure::new(format!("`{}` is another database now than in the plan", input.database))
            .means("nothing was done")
            .next("look what happened on the server, then make a new plan")
            .into());
    }
    drop(session);
    let stamp: String = input.stamp.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let (part, path) =
        (cx.work_dir.join(format!("safety_{stamp}.dump.part")), cx.work_dir.join(format!("safety_{stamp}.dump")));
    artefact::empty(&part)?;
    let made = take(cx, server, &input.database, &part).await;
    let facts = match made {
        Ok(()) => check(cx, server, &part).await,
        Err(stop) => Err(stop),
    };
    let facts = facts.inspect_err(|_| {
        let _ = std::fs::remove_file(&part);
    })?;
    artefact::put_in_place(&part, &path).map_err(|error| disk(&error))?;
    cx.feed.line(format!("safety dump: {} ({}), SHA-256 {}", path.display(), ByteCount(facts.bytes), facts.sha256));
    Ok(values(json!({
        "path": path, "bytes": facts.bytes, "sha256": facts.sha256, "tables": facts.tables, "rows": facts.rows,
    })))
}

struct Facts {
    bytes: u64,
    sha256: String,
    tables: usize,
    rows: u64,
}

fn disk(error: &std::io::Error) -> Failure {
    Failure::new(format!("the safety dump could not be written: {error}"))
        .means("there is no copy of the present state")
        .next("make room in Relight's state folder and retry")
}

async fn take(
    cx: &TaskContext,
    server: &crate::model::estate::Server,
    database: &str,
    part: &Path,
) -> Result<(), Stop> {
    let pg_dump = tools::find(server, "pg_dump")?;
    let program = tools::client(cx, server, pg_dump, database)?
        .args(["--format=custom", "--lock-wait-timeout=60s", "--file"])
        .arg(part);
    let look = || Progress {
        done: std::fs::metadata(part).map_or(0, |meta| meta.len()),
        total: None,
        unit: Unit::Bytes,
        note: "dumping the live database".to_owned(),
    };
    let ended = telling(cx, look, process::run(program, None, Output::Lines, cx)).await?;
    ended.success().map_err(|failure| {
        failure
            .means("the live database cannot be dumped; it may be damaged, or this machine may lack space")
            .next("if it is known to be damaged beyond dumping, skip this step with that reason")
            .into()
    })
}

/// Reads the dump to its end, as a restore would.
async fn check(cx: &TaskContext, server: &crate::model::estate::Server, part: &Path) -> Result<Facts, Stop> {
    let found = inventory::of_custom_file(cx, &tools::find(server, "pg_restore")?, part).await?;
    let (bytes, sha256) = artefact::measure(cx, part).await?;
    Ok(Facts { bytes, sha256, tables: found.tables.len(), rows: found.rows() })
}
