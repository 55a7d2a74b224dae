//! `service.stop`: stops a service and waits until nothing of it runs.

use super::{Managed, SERVICE, WITHIN};
use crate::model::id::ServiceId;
use crate::model::task::{Effect, Failure, Reality, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop as Halt, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use crate::tasks::patience::span;
use serde::Deserialize;
use serde_json::json;

pub struct Stop;

static SPEC: ModuleSpec = ModuleSpec {
    name: "service.stop",
    summary: "Stop a service, and wait until no process of it is left",
    effect: Effect::Reversible,
    inputs: &[SERVICE, WITHIN],
    outputs: &["stopped", "was_active", "triggered_by"],
    idempotent: true,
    undo: "service.start starts it again",
    programs: &["ssh", "systemctl", "find", "docker"],
};

#[derive(Deserialize)]
struct Input {
    service: ServiceId,
    #[serde(default)]
    within: Option<String>,
}

#[async_trait::async_trait]
impl Module for Stop {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(stop(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let managed = Managed::of(cx, &input.service)?;
            let (standing, left) = managed.look().await?;
            Ok::<_, Halt>(if standing.is_still() && left.is_empty() {
                Reality::Done(values(json!({ "stopped": managed.name(), "triggered_by": standing.triggered_by })))
            } else {
                Reality::NotDone(format!("it is {}", standing.words()))
            })
        };
        look.await.unwrap_or_else(Reality::from)
    }
}

async fn stop(cx: &TaskContext, input: &Values) -> Result<Values, Halt> {
    let input: Input = read(input)?;
    let within = span(input.within.as_deref())?;
    let managed = Managed::of(cx, &input.service)?;
    let before = managed.known().await?;
    cx.feed.line(format!("stopping {}: {}", managed.title(), before.words()));
    let said = managed.stop(within).await?;
    match managed.until_gone("5s").await? {
        Ok(standing) => {
            if !standing.triggered_by.is_empty() {
                cx.feed.line(format!("it can be started again by {}", standing.triggered_by));
            }
            Ok(values(json!({
                "stopped": managed.name(),
                "was_active": before.runs(),
                "triggered_by": standing.triggered_by,
            })))
        }
        Err(how) => {
            let failure = Failure::new(format!("it does not stop: {how}"))
                .means("it still works; nothing else was done")
                .next("wait, or end it on its host; then look again");
            let lines = said.stderr.into_iter().take(5);
            Err(lines
                .fold(failure, |failure, line| failure.evidence(crate::model::text::escaped(&line).into_owned()))
                .into())
        }
    }
}
