//! `service.start`: starts a service and waits until it runs and, where it has addresses, takes connections.

use super::{Managed, SERVICE, WITHIN};
use crate::model::id::ServiceId;
use crate::model::task::{Effect, Failure, Reality, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use crate::tasks::patience::{Patience, span};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Start;

static SPEC: ModuleSpec = ModuleSpec {
    name: "service.start",
    summary: "Start a service, and wait until it runs and its addresses take connections; never a masked one",
    effect: Effect::Reversible,
    inputs: &[SERVICE, WITHIN],
    outputs: &["started", "main_pid", "doors"],
    idempotent: true,
    undo: "service.stop stops it again",
    programs: &["ssh", "systemctl", "docker"],
};

#[derive(Deserialize)]
struct Input {
    service: ServiceId,
    #[serde(default)]
    within: Option<String>,
}

#[async_trait::async_trait]
impl Module for Start {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(start(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let managed = Managed::of(cx, &input.service)?;
            Ok::<_, Stop>(match up(&managed).await? {
                Ok(output) => Reality::Done(output),
                Err(how) => Reality::NotDone(how),
            })
        };
        look.await.unwrap_or_else(Reality::from)
    }
}

async fn start(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let managed = Managed::of(cx, &input.service)?;
    if managed.known().await?.is_masked() {
        return Err(Failure::new(format!("{} is masked", managed.title()))
            .means("somebody keeps it from being started, and had a reason; nothing was done")
            .next("find out who fenced it; the step that did so has an undo")
            .into());
    }
    let within = span(input.within.as_deref())?;
    managed.start(within).await?;
    until_up(&managed, input.within.as_deref()).await
}

/// Waits until a started service does its work.
pub(super) async fn until_up(managed: &Managed<'_>, within: Option<&str>) -> Result<Values, Stop> {
    let mut patience = Patience::new(managed.cx, within, Duration::from_millis(300))?;
    loop {
        let how = match up(managed).await? {
            Ok(output) => return Ok(output),
            Err(how) => how,
        };
        if !patience.again(&how).await? {
            return Err(Failure::new(how)
                .means("it was started, and does not do its work")
                .next(managed.look_at_its_log())
                .into());
        }
    }
}

async fn up(managed: &Managed<'_>) -> Result<Result<Values, String>, Stop> {
    let standing = managed.known().await?;
    if !standing.runs() {
        return Ok(Err(format!("{} is {}", managed.title(), standing.words())));
    }
    let doors = managed.doors().await?;
    if let Some(door) = doors.iter().find(|door| !door.is_open()) {
        return Ok(Err(format!("{} runs, and {door}", managed.title())));
    }
    let doors: Vec<String> = doors.iter().map(ToString::to_string).collect();
    Ok(Ok(values(json!({ "started": managed.name(), "main_pid": standing.main_pid, "doors": doors }))))
}
