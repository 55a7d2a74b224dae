//! `pg.writable`: asks a server directly whether it takes writes, by writing something that is taken back.

use super::look::{look, primary_of};
use crate::model::id::ServerId;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::connect::{self, Session};
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;

pub struct Writable;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.writable",
    summary: "Write a row of a temporary table in a database, and take the transaction back",
    effect: Effect::Reversible,
    inputs: &[
        InputSpec { name: "server", kind: InputKind::Text, required: true, help: "The primary" },
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "The application's database" },
        InputSpec { name: "system_identifier", kind: InputKind::Text, required: true, help: "Its cluster, as planned" },
    ],
    outputs: &["writable", "timeline", "position"],
    idempotent: true,
    undo: "the transaction is rolled back; nothing stays",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    database: String,
    system_identifier: String,
}

#[async_trait::async_trait]
impl Module for Writable {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Servers { names: &["server"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(write(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("what it writes ends with its session".to_owned())
    }
}

async fn write(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let server = connect::server(cx, &input.server)?;
    let live = primary_of(server, look(cx, server).await?, &input.system_identifier)?;
    let session = Session::open(cx, server, &input.database).await?;
    let sql = "BEGIN; CREATE TEMPORARY TABLE relight_writes (n int) ON COMMIT DROP; \
               INSERT INTO relight_writes VALUES (1); ROLLBACK";
    session.change(&format!("writing to `{}`", server.id), sql).await?;
    Ok(values(json!({ "writable": input.server, "timeline": live.timeline, "position": live.position.to_string() })))
}
