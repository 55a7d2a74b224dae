//! `pg.room`: how much room is left where a database of the server lies, asked once.

use super::preflight::server_space;
use super::target::Target;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;

pub struct Room;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.room",
    summary: "Look whether the disk of a database has less free than must stay",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "server", kind: InputKind::Text, required: true, help: "Server of the configuration" },
        InputSpec {
            name: "system_identifier",
            kind: InputKind::Text,
            required: true,
            help: "Cluster that the plan saw",
        },
        InputSpec { name: "database", kind: InputKind::Text, required: true, help: "Database that grows" },
        InputSpec { name: "keep", kind: InputKind::Text, required: true, help: "What must stay free, such as 1GB" },
    ],
    outputs: &["free_bytes", "short"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    target: Target,
    database: String,
    keep: String,
}

#[async_trait::async_trait]
impl Module for Room {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(room(cx, input).await)
    }
}

async fn room(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let keep: ByteCount = input.keep.parse().map_err(|error| {
        Failure::new(format!("what must stay free is not clear: {error}")).next("mend the parameter, and plan again")
    })?;
    let (session, server) = input.target.open(cx).await?;
    let space = session
        .maybe(
            "reading where the database lies",
            "SELECT t.spcname::text FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace \
             WHERE d.datname = $1",
            &[&input.database],
        )
        .await?;
    let Some(space) = space else {
        return Err(Failure::new(format!("there is no database `{}`", escaped(&input.database))).into());
    };
    let space: String = space.get(0);
    // A disk that cannot be read from here was judged before: nothing is claimed about it now.
    let free = server_space(&session, server, Some(&space)).await?;
    Ok(values(json!({ "free_bytes": free, "short": free.is_some_and(|free| free < keep.0) })))
}
