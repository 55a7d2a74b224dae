//! `service.identity`: which service on which machine, in facts that change only when it is another.

use super::{Managed, SERVICE};
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
    programs: &["ssh", "systemctl", "docker"],
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
    let managed = Managed::of(cx, &input.service)?;
    managed.known().await?;
    let said = host::run(cx, managed.host, Command::new(["cat", "--", "/etc/machine-id"])).await?;
    let machine = said.success("reading the machine's id", managed.host)?.text();
    let mut facts = vec![("service", managed.service.id.to_string())];
    facts.extend(managed.facts().await?);
    facts.extend([("host", managed.host.id.to_string()), ("machine", machine.trim().to_owned())]);
    Ok(values(json!({ "title": format!("service {}: {}", managed.service.id, managed.title()), "facts": facts })))
}
