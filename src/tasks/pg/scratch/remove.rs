//! `pg.scratch-remove`: removes a server that this run made, with its folder.

use super::place::Place;
use crate::model::id::ServerId;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;

pub struct ScratchRemove;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.scratch-remove",
    summary: "Stop a server that this run made, and remove its folder",
    effect: Effect::Reversible,
    inputs: &[InputSpec { name: "server", kind: InputKind::Text, required: true, help: "A server that the run made" }],
    outputs: &["removed"],
    idempotent: true,
    undo: "none; it can be copied again",
    programs: &["ssh", "pg_ctl", "rm"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
}

#[async_trait::async_trait]
impl Module for ScratchRemove {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Servers { names: &["server"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(remove(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let place = Place::of(cx, &input.server)?;
            Ok::<_, Stop>((place.is_mine().await?, input.server))
        };
        match looking.await {
            Ok((false, server)) => Reality::Done(values(json!({ "removed": server }))),
            Ok((true, _)) => Reality::NotDone("what this run made is still there".to_owned()),
            Err(stop) => stop.into(),
        }
    }
}

async fn remove(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let place = Place::of(cx, &input.server)?;
    if place.is_mine().await? {
        place.clear().await?;
        if place.home.place.log.is_none() {
            place.home.must("removing the log of a drill", &["rm", "-f", "--", &place.log()]).await?;
        }
        // Last: as long as it is there, whatever is left is known to be this run's.
        place.home.must("removing the mark of a drill", &["rmdir", "--", &place.mark]).await?;
    }
    Ok(values(json!({ "removed": input.server })))
}
