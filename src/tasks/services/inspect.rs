//! `service.inspect`: how a service stands, what of it runs, and which of its addresses take connections.

use super::{Managed, SERVICE};
use crate::model::id::ServiceId;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;

pub struct Inspect;

static SPEC: ModuleSpec = ModuleSpec {
    name: "service.inspect",
    summary: "Ask systemd or compose how a service stands, and hold that against its processes and ports",
    effect: Effect::Observe,
    inputs: &[SERVICE],
    outputs: &[
        "unit",
        "host",
        "active",
        "state",
        "enabled",
        "masked",
        "main_pid",
        "since",
        "processes",
        "triggered_by",
        "doors",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "systemctl", "find", "docker"],
};

#[derive(Deserialize)]
struct Input {
    service: ServiceId,
}

#[async_trait::async_trait]
impl Module for Inspect {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(inspect(cx, input).await)
    }
}

async fn inspect(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let managed = Managed::of(cx, &input.service)?;
    let (standing, processes) = managed.look().await?;
    let doors: Vec<String> = managed.doors().await?.iter().map(ToString::to_string).collect();
    Ok(values(json!({
        "unit": managed.name(),
        "host": managed.host.id.as_str(),
        "active": standing.runs(),
        "state": standing.words(),
        "enabled": standing.file,
        "masked": standing.is_masked(),
        "main_pid": standing.main_pid,
        "since": standing.since,
        "processes": processes.len(),
        "triggered_by": standing.triggered_by,
        "doors": doors,
    })))
}
