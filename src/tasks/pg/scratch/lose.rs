//! `pg.scratch-lose`: crashes a server for drills, as a primary is lost.

use super::place::Place;
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::pair::home::listed;
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct ScratchLose;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.scratch-lose",
    summary: "Crash a server that this drill made",
    effect: Effect::Costly,
    inputs: &[InputSpec { name: "server", kind: InputKind::Text, required: true, help: "A server that the run made" }],
    outputs: &["lost"],
    idempotent: true,
    undo: "none is needed: the drill removes the server",
    programs: &["ssh", "pg_ctl"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
}

const AT_ONCE: Duration = Duration::from_mins(1);

#[async_trait::async_trait]
impl Module for ScratchLose {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Servers { names: &["server"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(lose(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let left = Place::of(cx, &input.server)?.home.processes().await?;
            Ok::<_, Stop>((left, input.server))
        };
        match looking.await {
            Ok((left, server)) if left.is_empty() => Reality::Done(values(json!({ "lost": server }))),
            Ok((left, _)) => Reality::NotDone(format!("it runs: {}", listed(&left))),
            Err(stop) => stop.into(),
        }
    }
}

async fn lose(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let place = Place::of(cx, &input.server)?;
    if !place.is_mine().await? {
        return Err(Failure::new(format!("this run did not make server `{}`", input.server))
            .means("only a server that the drill itself made is crashed; nothing was done")
            .into());
    }
    let left = place.home.end("immediate", AT_ONCE).await?;
    if !left.is_empty() {
        return Err(Failure::new(format!("server `{}` does not stop: {}", input.server, listed(&left))).into());
    }
    Ok(values(json!({ "lost": input.server })))
}
