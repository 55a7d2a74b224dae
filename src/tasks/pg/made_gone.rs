//! `pg.made-gone`: whether nothing is left of the databases that this run made.

use super::database;
use super::target::{CLUSTER, SERVER, Target};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;

pub struct MadeGone;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.made-gone",
    summary: "Look that no database is left that this run made",
    effect: Effect::Observe,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Name that the database was given" },
    ],
    outputs: &["gone"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
pub(super) struct Input {
    #[serde(flatten)]
    pub target: Target,
    pub side: String,
}

#[async_trait::async_trait]
impl Module for MadeGone {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(look(cx, input).await)
    }
}

async fn look(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (session, _) = input.target.open(cx).await?;
    let mut left: Vec<String> =
        database::made_by(&session, &cx.owner.run).await?.into_iter().map(|database| database.name).collect();
    // Making and marking are two statements: one that was never marked still has its first name.
    if !left.contains(&input.side) && database::find(&session, &input.side).await?.is_some() {
        left.push(input.side);
    }
    if left.is_empty() {
        return Ok(values(json!({ "gone": true })));
    }
    let names: Vec<String> = left.iter().map(|name| format!("`{}`", escaped(name))).collect();
    Err(Failure::new(format!("still there: database {}", names.join(", ")))
        .means("what this run made is not cleared")
        .next("remove it, then look again")
        .into())
}
