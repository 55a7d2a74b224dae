//! `files.made-gone`: whether nothing is left of the folder that this run made.

use super::folder::{Found, Note, Place};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;
use std::ffi::OsString;
use std::path::PathBuf;

pub struct MadeGone;

pub(super) static INPUTS: &[InputSpec] = &[
    InputSpec { name: "target", kind: InputKind::Text, required: true, help: "Absolute path that it was swapped to" },
    InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Absolute path that it was made under" },
];

static SPEC: ModuleSpec = ModuleSpec {
    name: "files.made-gone",
    summary: "Look that the folder that this run made is gone",
    effect: Effect::Observe,
    inputs: INPUTS,
    outputs: &["gone"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    target: PathBuf,
    side: PathBuf,
}

#[async_trait::async_trait]
impl Module for MadeGone {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(look(cx, input).map_err(Stop::from))
    }
}

/// Where the folder of this run lies, and its names there. What has the side's name and is not ours counts too:
/// nobody else was to make it.
pub(super) fn left(cx: &TaskContext, input: &Values) -> Result<(Place, Vec<(OsString, bool)>), Failure> {
    let input: Input = read(input)?;
    let (place, [target, side]) = Place::open([&input.target, &input.side])?;
    let note = Note::read(cx, &input.side);
    let ours = |found: &Found| note.as_ref().is_some_and(|note| note.owns(found));
    let (at_target, at_side) = (place.find(&target)?, place.find(&side)?);
    let mut left = Vec::new();
    if ours(&at_target) {
        left.push((target, true));
    }
    if at_side != Found::Nothing {
        left.push((side, ours(&at_side)));
    }
    Ok((place, left))
}

fn look(cx: &TaskContext, input: &Values) -> Result<Values, Failure> {
    let (place, left) = left(cx, input)?;
    if left.is_empty() {
        return Ok(values(json!({ "gone": true })));
    }
    let names: Vec<String> = left.iter().map(|(name, _)| place.show(name)).collect();
    Err(Failure::new(format!("still there: {}", names.join(", ")))
        .means("what this run made is not cleared")
        .next("remove it, then look again"))
}
