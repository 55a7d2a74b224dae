//! `schedule.list`: the jobs of an asset, and how they stand.

use super::{ASSET, look, of};
use crate::model::id::AssetId;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;

pub struct List;

static SPEC: ModuleSpec = ModuleSpec {
    name: "schedule.list",
    summary: "List the scheduled jobs of an asset, how they stand and when they run next; never fails for silence",
    effect: Effect::Observe,
    inputs: &[ASSET],
    outputs: &["names", "jobs"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "crontab", "systemctl"],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
}

#[async_trait::async_trait]
impl Module for List {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(list(cx, input).await)
    }
}

async fn list(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let jobs = of(cx, &input.asset);
    let names: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    let names = names.join(", ");
    Ok(values(json!({ "names": names, "jobs": look(cx, &jobs).await? })))
}
