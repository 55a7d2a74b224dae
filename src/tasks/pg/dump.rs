//! `pg.dump`: the live database as a dump in the run's folder, read back to its end and counted.

use super::connect::Session;
use super::database;
use super::inventory;
use super::script::Inventory;
use super::target::{CLUSTER, SERVER, Target};
use super::tools;
use crate::model::estate::Server;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::artefact::{self, Artefact};
use crate::tasks::context::TaskContext;
use crate::tasks::disk::free_bytes;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::process::{self, Output};
use crate::tasks::progress::telling;
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;

pub struct Dump;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.dump",
    summary: "Dump the live database into the run's folder, and read the dump back",
    effect: Effect::Costly,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Live name" },
        InputSpec { name: "live_oid", kind: InputKind::Integer, required: true, help: "Object id in the plan" },
        InputSpec { name: "file", kind: InputKind::Text, required: true, help: "Name of the file in the run's folder" },
        InputSpec {
            name: "form",
            kind: InputKind::Text,
            required: true,
            help: "plain, plain-gzip or custom: what the name of the backup promises",
        },
        InputSpec {
            name: "min_tables",
            kind: InputKind::Integer,
            required: false,
            help: "Fewest believable tables; default 1",
        },
        InputSpec {
            name: "min_rows",
            kind: InputKind::Integer,
            required: false,
            help: "Fewest believable rows in all; default 1",
        },
    ],
    outputs: &["bytes", "sha256", "tables", "rows", "server_version"],
    idempotent: true,
    undo: "backup.discard removes the file from the run's folder",
    programs: &["pg_dump", "pg_restore"],
};

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    target: Target,
    database: String,
    live_oid: u32,
    file: String,
    form: Form,
    #[serde(default)]
    min_tables: Option<u64>,
    #[serde(default)]
    min_rows: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Form {
    Plain,
    PlainGzip,
    Custom,
}

#[async_trait::async_trait]
impl Module for Dump {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::RunFolder)
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(dump(cx, input).await)
    }

    /// A file with its note was finished and counted; what it counts is only known to that attempt, and a
    /// dump is cheaper made again than taken on trust.
    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("the dump is made again from the beginning".to_owned())
    }
}

async fn dump(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let path = artefact::path(cx, &input.file)?;
    let server = open(cx, &input).await?;
    let (part, file) = artefact::fresh(&path)?;
    drop(file);
    let made = async {
        take(cx, server, &input, &part).await?;
        let found = inventory(cx, server, input.form, &part).await?;
        believable(&input, &found)?;
        Ok::<_, Stop>((found, Artefact::finish(cx, &path).await?))
    };
    let (found, made) = match made.await {
        Ok(made) => made,
        Err(stop) => {
            // Half a dump helps nobody, and takes the room that a retry needs.
            let _ = artefact::remove(cx, &input.file);
            return Err(stop);
        }
    };
    let (tables, rows) = (found.tables.len(), found.rows());
    cx.feed.line(format!("{tables} tables, {rows} rows, {}, SHA-256 {}", ByteCount(made.bytes), made.sha256));
    Ok(values(json!({
        "bytes": made.bytes, "sha256": made.sha256, "tables": tables, "rows": rows,
        "server_version": found.server_version,
    })))
}

/// Holds the server and the database to those of the plan, and looks for room.
async fn open<'a>(cx: &'a TaskContext, input: &Input) -> Result<&'a Server, Stop> {
    let (session, server) = input.target.open(cx).await?;
    let live = database::find(&session, &input.database).await?;
    if live.map(|live| live.oid) != Some(input.live_oid) {
        return Err(Failure::new(format!("`{}` is not the database of the plan any more", escaped(&input.database)))
            .means("nothing was done")
            .next("look what happened on the server, then make a new plan")
            .into());
    }
    room(cx, &session, input.live_oid).await?;
    Ok(server)
}

/// A compressed dump is smaller than its database: room for the database is enough.
async fn room(cx: &TaskContext, session: &Session, oid: u32) -> Result<(), Stop> {
    let row = session.row("reading the database's size", "SELECT pg_database_size($1::oid)", &[&oid]).await?;
    let need = row.get::<_, i64>(0) as u64;
    let free = free_bytes(&cx.work_dir).map_err(|error| {
        Stop::Unknown(Failure::new(format!("the free space of the run's folder cannot be read: {error}")))
    })?;
    if free < need {
        return Err(Failure::new(format!(
            "the run's folder has {} free, the database has {}",
            ByteCount(free),
            ByteCount(need)
        ))
        .means("the dump might fill the disk; nothing was done")
        .next("make room where Relight keeps its state, or move it with --state, then retry")
        .into());
    }
    Ok(())
}

async fn take(cx: &TaskContext, server: &Server, input: &Input, part: &Path) -> Result<(), Stop> {
    let how: &[&str] = match input.form {
        Form::Plain => &["--format=plain", "--compress=0"],
        Form::PlainGzip => &["--format=plain", "--compress=6"],
        Form::Custom => &["--format=custom", "--compress=6"],
    };
    let program = tools::client(cx, server, tools::find(server, "pg_dump")?, &input.database)?
        .args(how.iter().copied())
        .args(["--lock-wait-timeout=60s", "--file"])
        .arg(part);
    let look = || Progress {
        done: std::fs::metadata(part).map_or(0, |meta| meta.len()),
        total: None,
        unit: Unit::Bytes,
        note: format!("dumping {}", input.database),
    };
    let mut errors = Vec::new();
    let mut listen = |line: &str| {
        if ["error:", "ERROR:", "FATAL:", "PANIC:"].iter().any(|word| line.contains(word)) && errors.len() < 20 {
            errors.push(escaped(line).into_owned());
        }
        true
    };
    let running = process::run_listening(program, None, Output::Lines, &mut listen, cx);
    let ended = telling(cx, look, running).await?;
    let meaning = "the database could not be dumped as a whole; no backup was made";
    ended.success().map_err(|failure| failure.means(meaning).next("see what it says, mend that, and retry"))?;
    if !errors.is_empty() {
        let failure = Failure::new("`pg_dump` ended well and reported errors all the same").means(meaning);
        return Err(errors.into_iter().fold(failure, Failure::evidence).into());
    }
    Ok(())
}

/// Reads the dump to its end, as a restore would.
async fn inventory(cx: &TaskContext, server: &Server, form: Form, part: &Path) -> Result<Inventory, Stop> {
    let found = match form {
        Form::Custom => return inventory::of_custom_file(cx, &tools::find(server, "pg_restore")?, part).await,
        Form::Plain => inventory::of_plain_file(cx, part, false).await?,
        Form::PlainGzip => inventory::of_plain_file(cx, part, true).await?,
    };
    if found.header && found.finished {
        return Ok(found);
    }
    Err(Failure::new("the dump lacks its first or its last line").means("it is cut; no backup was made").into())
}

fn believable(input: &Input, found: &Inventory) -> Result<(), Failure> {
    let (min_tables, min_rows) = (input.min_tables.unwrap_or(1), input.min_rows.unwrap_or(1));
    let (tables, rows) = (found.tables.len() as u64, found.rows());
    if tables >= min_tables && rows >= min_rows {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`{}` has {tables} tables and {rows} rows; at least {min_tables} and {min_rows} are believable",
        escaped(&input.database)
    ))
    .means("it is emptied, or another database than meant; a backup of it would push good ones out")
    .next("look at the database; restore it if it was lost"))
}
