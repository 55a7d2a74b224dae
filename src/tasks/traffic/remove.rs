//! `traffic.remove`: removes the traffic file that a drill made, and what was kept beside it.

use super::file::Place;
use crate::model::estate::Traffic;
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::connect;
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;

pub struct Remove;

/// The traffic file that a drill made.
pub(super) const MADE: &[InputSpec] = &[
    InputSpec { name: "of", kind: InputKind::Text, required: true, help: "The server that describes the traffic" },
    InputSpec { name: "stamp", kind: InputKind::Text, required: true, help: "The stamp of the run that made it" },
];

static SPEC: ModuleSpec = ModuleSpec {
    name: "traffic.remove",
    summary: "Remove the traffic file that a drill made",
    effect: Effect::Reversible,
    inputs: MADE,
    outputs: &["removed"],
    idempotent: true,
    undo: "none; a drill writes it again",
    programs: &["ssh", "rm"],
};

#[derive(Deserialize)]
pub(super) struct Input {
    pub of: ServerId,
    pub stamp: String,
}

#[async_trait::async_trait]
impl Module for Remove {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Traffic { of: "of" })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(remove(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("removing what is gone already does no harm".to_owned())
    }
}

async fn remove(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    if let Some(place) = place(cx, &input)? {
        place.remove().await?;
    }
    Ok(values(json!({ "removed": input.of })))
}

/// The file of a server for drills; they move clients by files alone.
pub(super) fn place<'a>(cx: &'a TaskContext, input: &Input) -> Result<Option<Place<'a>>, Failure> {
    match &connect::server(cx, &input.of)?.traffic {
        Some(Traffic::File(file)) => Ok(Some(Place::of(cx, file, &input.stamp)?)),
        Some(other) => Err(Failure::new(format!("{other} is not what a drill makes"))),
        None => Ok(None),
    }
}
