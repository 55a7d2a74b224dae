//! `pg.health`: whether the database serves again, asked as an application would, with retries.

use super::connect::Session;
use super::target::{CLUSTER, SERVER, Target};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::checks::http_health::{NOT_ASKED, ask};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::Patience;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Health;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.health",
    summary: "Connect as an application would, read, write in a rolled-back transaction; ask the health address",
    effect: Effect::Observe,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Live name" },
        InputSpec { name: "url", kind: InputKind::Text, required: false, help: "The application's health address" },
        InputSpec {
            name: "within",
            kind: InputKind::Text,
            required: false,
            help: "How long to go on asking; default 2m",
        },
    ],
    outputs: &["tables", "application"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

const PAUSE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    target: Target,
    database: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    within: Option<String>,
}

#[async_trait::async_trait]
impl Module for Health {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(health(cx, input).await)
    }
}

async fn health(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let mut patience = Patience::new(cx, input.within.as_deref(), PAUSE)?;
    let tables = loop {
        match check(cx, &input).await {
            Ok(tables) => break tables,
            Err(Stop::Failed(failure)) => {
                if !patience.again(&failure.what).await? {
                    return Err(failure
                        .means(format!("the database did not serve within {}s", patience.within().as_secs()))
                        .next("look at the server's log; retry, or take the swap back")
                        .into());
                }
            }
            Err(stop) => return Err(stop),
        }
    };
    let application = match input.url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => {
            let (status, attempts) = ask(cx, url, &mut patience).await?;
            format!("answered {status} after {attempts} attempts")
        }
        None => NOT_ASKED.to_owned(),
    };
    cx.feed.line(format!("database serves {tables} tables; application {application}"));
    Ok(values(json!({ "tables": tables, "application": application })))
}

/// A fresh connection, tables that are there, and a real write that is rolled back.
async fn check(cx: &TaskContext, input: &Input) -> Result<i64, Stop> {
    let (maintenance, server) = input.target.open(cx).await?;
    drop(maintenance);
    let session = Session::open(cx, server, &input.database).await?;
    let row = session
        .row(
            "looking at the database",
            "SELECT count(*), current_setting('transaction_read_only') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'",
            &[],
        )
        .await?;
    let (tables, read_only): (i64, String) = (row.get(0), row.get(1));
    if tables == 0 {
        return Err(Failure::new("the database has no tables").into());
    }
    if read_only == "on" {
        return Err(Failure::new("the database takes no writes: it is read-only by its settings").into());
    }
    // An ordinary table, so that the write goes through the log as an application's would.
    let probe = format!("relight_probe_{}", std::process::id());
    let write = format!(
        "BEGIN; CREATE SCHEMA {probe}; CREATE TABLE {probe}.probe (n int); INSERT INTO {probe}.probe VALUES (1); ROLLBACK"
    );
    match session.change("writing in a transaction that is rolled back", &write).await {
        // Rolled back or broken off, nothing of it stays: a lost line is a plain no here.
        Err(Stop::Unknown(failure)) => Err(Stop::Failed(failure)),
        other => other.map(|()| tables),
    }
}
