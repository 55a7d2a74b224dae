//! `backup.expired`: what was to go is gone, and everything that was to stay is there.

use super::expiry::{ASSET, COPIES, KEPT, Removal, STORE, asset, fresh};
use super::objects;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde_json::json;

pub struct Expired;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.expired",
    summary: "Scan the stores: what was to go is gone, and everything that stays is there",
    effect: Effect::Observe,
    inputs: &[ASSET, STORE, COPIES, KEPT],
    outputs: &["gone", "kept"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

/// Lines of evidence; more would only be noise.
const LINES: usize = 10;

#[async_trait::async_trait]
impl Module for Expired {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, look(cx, input)).await
    }
}

async fn look(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Removal = read(input)?;
    let catalog = fresh(cx, asset(cx, &input.asset)?).await?;
    let store = objects::store(cx, &input.store)?;
    let mut wrong: Vec<String> = input.kept.iter().filter_map(|kept| kept.lost(&catalog)).collect();
    let lost = wrong.len();
    for doomed in &input.copies {
        let left = objects::present(&**store, doomed).await?;
        wrong.extend(left.same.iter().map(|object| format!("`{}` is still there", escaped(&object.name))));
        wrong.extend(left.odd);
    }
    if wrong.is_empty() {
        return Ok(values(json!({ "gone": input.copies.len(), "kept": input.kept.len() })));
    }
    let means = if lost > 0 { "a backup that was to stay is missing" } else { "the removal is not complete" };
    let failure = Failure::new("the store does not look as the plan said that it would")
        .means(means)
        .next("find out who else writes to the store, then `relight retention --all`");
    Err(wrong.into_iter().take(LINES).fold(failure, Failure::evidence).into())
}
