//! `pg.scratch-gone`: whether nothing is left of a server that this run made.

use super::place::Place;
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::pair::look::{Seen, look};
use serde::Deserialize;
use serde_json::json;

pub struct ScratchGone;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.scratch-gone",
    summary: "Look that a server for drills has no folder and that nothing answers at its address",
    effect: Effect::Observe,
    inputs: &[InputSpec { name: "server", kind: InputKind::Text, required: true, help: "A server that the run made" }],
    outputs: &["gone"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
}

#[async_trait::async_trait]
impl Module for ScratchGone {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(gone(cx, input).await)
    }
}

async fn gone(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let place = Place::of(cx, &input.server)?;
    let left = |what: String| {
        Failure::new(format!("still there: {what}"))
            .means("what this run made is not cleared")
            .next("remove it, then look again")
    };
    // A look that only failed to find something proves nothing: the host must see what holds the folder.
    let data = &place.home.place.data_dir;
    let holder = data.rsplit_once('/').map_or("/", |(holder, _)| if holder.is_empty() { "/" } else { holder });
    place.home.must("looking at what holds the folder", &["test", "-d", holder]).await?;
    for path in [data, &place.mark] {
        if place.is(path).await? {
            return Err(left(escaped(path).into_owned()).into());
        }
    }
    match look(cx, place.home.server).await? {
        Seen::Refused => Ok(values(json!({ "gone": true }))),
        other => Err(left(format!("server `{}` {}", input.server, other.words())).into()),
    }
}
