//! `service.unfence`: lets a fenced service work again, as long as nothing took its place.

use super::start::until_up;
use super::{Managed, SERVICE, Unit, WITHIN};
use crate::model::id::ServiceId;
use crate::model::task::{Effect, Failure, Reality, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::span;
use serde::Deserialize;

pub struct Unfence;

static SPEC: ModuleSpec = ModuleSpec {
    name: "service.unfence",
    summary: "Take the mask of a service away and start it, only while what would take its place stands still",
    effect: Effect::Irreversible,
    inputs: &[
        SERVICE,
        InputSpec {
            name: "instead_of",
            kind: InputKind::Text,
            required: false,
            help: "Service that takes its place elsewhere; must be seen not to run",
        },
        WITHIN,
    ],
    outputs: &["started", "main_pid", "doors"],
    idempotent: true,
    undo: "service.fence fences it again",
    programs: &["ssh", "systemctl"],
};

#[derive(Deserialize)]
struct Input {
    service: ServiceId,
    #[serde(default)]
    instead_of: Option<ServiceId>,
    #[serde(default)]
    within: Option<String>,
}

#[async_trait::async_trait]
impl Module for Unfence {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(unfence(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let standing = Unit::of(cx, &input.service)?.known().await?;
            Ok::<_, Stop>(if standing.runs() && !standing.is_masked() {
                Reality::Done(Values::new())
            } else {
                Reality::NotDone(format!("it is {}", standing.words()))
            })
        };
        look.await.unwrap_or_else(Reality::from)
    }
}

async fn unfence(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let unit = Unit::of(cx, &input.service)?;
    if let Some(other) = &input.instead_of {
        let other = Managed::of(cx, other)?;
        let stays = |what: String| {
            Failure::new(format!("`{}` stays fenced: {what}", unit.service.id))
                .means("while the other is not known to stand still, starting this one could make two that do the same work")
                .next("settle what the other does, then retry")
        };
        let (standing, left) = other.look().await.map_err(|stop| match stop {
            Stop::Failed(failure) | Stop::Unknown(failure) => Stop::Unknown(stays(failure.what)),
            cancelled @ Stop::Cancelled(_) => cancelled,
        })?;
        if !standing.is_still() || !left.is_empty() {
            return Err(stays(format!("{} is {}", other.title(), standing.words())).into());
        }
    }
    unit.unmask().await?;
    unit.start(span(input.within.as_deref())?).await?;
    until_up(&Managed::of(cx, &input.service)?, input.within.as_deref()).await
}
