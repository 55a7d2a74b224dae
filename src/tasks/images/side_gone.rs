//! `images.side-gone`: whether no image has the dated tag of a run any more.

use super::engine::Engine;
use super::remove_side::{Input, left};
use super::{ASSET, SIDE};
use crate::model::images::retagged;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde_json::json;

pub struct SideGone;

static SPEC: ModuleSpec = ModuleSpec {
    name: "images.side-gone",
    summary: "Look that no image has the dated tag that this run gave",
    effect: Effect::Observe,
    inputs: &[ASSET, SIDE],
    outputs: &["gone"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "docker"],
};

#[async_trait::async_trait]
impl Module for SideGone {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        let look = async {
            let input: Input = read(input)?;
            let left = left(&Engine::of(cx, &input.asset)?, &input.side).await?;
            let Some((name, _)) = left.first() else { return Ok(values(json!({ "gone": true }))) };
            Err(Failure::new(format!("still there: image {}", retagged(name, &input.side)))
                .means("what this run made is not cleared")
                .next("remove it, then look again")
                .into())
        };
        settle(look.await)
    }
}
