//! `service.identity`: which unit on which machine, in facts that change only when it is another.

use super::{SERVICE, Unit};
use crate::model::estate::UnitScope;
use crate::model::id::ServiceId;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command};
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;

pub struct Identity;

static SPEC: ModuleSpec = ModuleSpec {
    name: "service.identity",
    summary: "Read the live identity of a service: its unit, its host and the machine behind that name",
    effect: Effect::Observe,
    inputs: &[SERVICE],
    outputs: &["title", "facts"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "systemctl"],
};

#[derive(Deserialize)]
struct Input {
    service: ServiceId,
}

#[async_trait::async_trait]
impl Module for Identity {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(identify(cx, input).await)
    }
}

async fn identify(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let unit = Unit::of(cx, &input.service)?;
    unit.known().await?;
    let said = host::run(cx, unit.host, Command::new(["cat", "--", "/etc/machine-id"])).await?;
    let machine = said.success("reading the machine's id", unit.host)?.text();
    let scope = if unit.service.scope == UnitScope::User { "user" } else { "system" };
    let facts = [
        ("service", unit.service.id.as_str()),
        ("unit", unit.service.unit.as_str()),
        ("manager", scope),
        ("host", unit.host.id.as_str()),
        ("machine", machine.trim()),
    ];
    Ok(values(json!({ "title": format!("service {}: {}", unit.service.id, unit.title()), "facts": facts })))
}
