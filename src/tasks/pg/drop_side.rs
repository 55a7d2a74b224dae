//! `pg.drop-side`: removes a database that this run made, and nothing else.

use super::database;
use super::target::{CLUSTER, SERVER, Target};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;

pub struct DropSide;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.drop-side",
    summary: "Remove a database that this run made beside the live one",
    effect: Effect::Reversible,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec {
            name: "side",
            kind: InputKind::Text,
            required: true,
            help: "Name that the plan gave to the new database",
        },
        InputSpec {
            name: "database",
            kind: InputKind::Text,
            required: true,
            help: "Name of the live database, which is never removed",
        },
    ],
    outputs: &["removed"],
    idempotent: true,
    undo: "none; the database can be made again from the same backup",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    #[serde(flatten)]
    target: Target,
    side: String,
    database: String,
}

#[async_trait::async_trait]
impl Module for DropSide {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Databases { server: "server", names: &["side"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(remove(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let (session, _) = input.target.open(cx).await?;
            Ok::<_, Stop>(database::find(&session, &input.side).await?.is_some())
        };
        match look.await {
            Ok(true) => Reality::NotDone("the database is still there".to_owned()),
            Ok(false) => Reality::Done(values(json!({ "removed": false }))),
            Err(stop) => stop.into(),
        }
    }
}

async fn remove(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    if input.side == input.database {
        return Err(Failure::new(format!("`{}` is the live database's name", input.side))
            .means("the live database is never removed; nothing was done")
            .next("mend the runbook")
            .into());
    }
    let (session, _) = input.target.open(cx).await?;
    if database::find(&session, &input.side).await?.is_none() {
        return Ok(values(json!({ "removed": false })));
    }
    let found = database::ours(&session, &input.side, &cx.owner.run).await?;
    database::remove(&session, &found).await?;
    Ok(values(json!({ "removed": true })))
}
