//! `pg.side-gone`: whether nothing is left of a recovery beside the live cluster.

use super::clear::{INPUTS, Input};
use super::side::Side;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde_json::json;

pub struct SideGone;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.side-gone",
    summary: "Look that nothing is left of a recovery beside the live cluster",
    effect: Effect::Observe,
    inputs: INPUTS,
    outputs: &["gone"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "find"],
};

#[async_trait::async_trait]
impl Module for SideGone {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(gone(cx, input).await)
    }
}

async fn gone(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let side = Side::of(cx, &input.server, &input.side)?;
    // A look that only failed to find something proves nothing: the host must see what holds the folder.
    let holder = side.path.rsplit_once('/').map_or("/", |(holder, _)| if holder.is_empty() { "/" } else { holder });
    side.live.must("looking at what holds the folder", &["test", "-d", holder]).await?;
    if let Some(path) = side.left().await? {
        return Err(Failure::new(format!("still there: {}", escaped(&path)))
            .means("what this run made is not cleared")
            .next("remove it, then look again")
            .into());
    }
    Ok(values(json!({ "gone": true })))
}
