//! `traffic.gone`: whether nothing is left of the traffic file that a drill made.

use super::remove::{Input, MADE, place};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde_json::json;

pub struct Gone;

static SPEC: ModuleSpec = ModuleSpec {
    name: "traffic.gone",
    summary: "Look that the traffic file of a drill is gone",
    effect: Effect::Observe,
    inputs: MADE,
    outputs: &["gone"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh"],
};

#[async_trait::async_trait]
impl Module for Gone {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(look(cx, input).await)
    }
}

async fn look(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let left = match place(cx, &input)? {
        Some(place) => place.left().await?,
        None => None,
    };
    match left {
        None => Ok(values(json!({ "gone": true }))),
        Some(path) => Err(Failure::new(format!("still there: {path}"))
            .means("what this run made is not cleared")
            .next("remove it, then look again")
            .into()),
    }
}
