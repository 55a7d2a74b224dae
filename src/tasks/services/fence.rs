//! `service.fence`: masks a unit, stops it, and proves that nothing of it is left nor can come back.

use super::{Managed, SERVICE, Unit, WITHIN};
use crate::model::id::ServiceId;
use crate::model::task::{Effect, Failure, Reality, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use crate::tasks::patience::span;
use serde::Deserialize;
use serde_json::json;

pub struct Fence;

static SPEC: ModuleSpec = ModuleSpec {
    name: "service.fence",
    summary: "Mask a unit for good and stop it, and prove by its state, processes and ports that it is gone",
    effect: Effect::Fence,
    inputs: &[SERVICE, WITHIN],
    outputs: &["fenced", "proofs"],
    idempotent: true,
    undo: "service.unfence takes the mask away and starts it, unless what took its place runs",
    programs: &["ssh", "systemctl", "find"],
};

#[derive(Deserialize)]
struct Input {
    service: ServiceId,
    #[serde(default)]
    within: Option<String>,
}

#[async_trait::async_trait]
impl Module for Fence {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(fence(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let unit = Unit::of(cx, &input.service)?;
            let unproven = match receipt(&unit).await {
                Ok(output) => return Ok(Reality::Done(output)),
                Err(Stop::Unknown(failure)) => failure,
                Err(stop) => return Err(stop),
            };
            let standing = unit.look().await?;
            Ok(match (standing.is_masked(), standing.is_still()) {
                (false, _) => Reality::NotDone(unproven.what),
                (true, false) => Reality::Partial("it is masked, and still runs".to_owned()),
                (true, true) => Reality::Unknown(unproven),
            })
        };
        look.await.unwrap_or_else(Reality::from)
    }
}

async fn fence(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let within = span(input.within.as_deref())?;
    let (unit, managed) = (Unit::of(cx, &input.service)?, Managed::of(cx, &input.service)?);
    let before = unit.known().await.map_err(|stop| match stop {
        // Until the host answered once, a fence that could not be tried is not a failed fence.
        Stop::Failed(failure) => unreached(failure),
        stop => stop,
    })?;
    // The mask first: `Restart=`, a timer or a colleague would bring it back behind the stop.
    unit.mask().await?;
    cx.feed.line(format!("masked; stopping {}: {}", unit.title(), before.words()));
    unit.stop(within).await?;
    if let Err(how) = managed.until_gone("2s").await? {
        cx.feed.line(format!("{how}; its processes are killed now"));
        unit.kill().await?;
        if let Err(how) = managed.until_gone("15s").await? {
            cx.feed.line(how);
        }
    }
    receipt(&unit).await
}

async fn receipt(unit: &Unit<'_>) -> Result<Values, Stop> {
    let receipt = unit.prove_fenced().await?;
    Ok(values(json!({
        "fenced": format!("`{}` is stopped and masked, also over a restart of its host", unit.service.id),
        "proofs": { "fence-receipt": receipt },
    })))
}

fn unreached(failure: Failure) -> Stop {
    let unknown = Failure::new(format!("the service could not be fenced, nor seen from its host: {}", failure.what))
        .means("not known: whether it runs, and whether someone else can reach it")
        .next("reach its host or cut off its power or network by other means, then look again");
    Stop::Unknown(failure.evidence.into_iter().fold(unknown, Failure::evidence))
}
