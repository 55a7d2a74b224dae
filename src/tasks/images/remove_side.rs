//! `images.remove-side`: takes the dated tag from the images that this run loaded; the live names are not touched.

use super::engine::Engine;
use super::note::Note;
use super::{ASSET, SIDE};
use crate::model::id::AssetId;
use crate::model::images::retagged;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;

pub struct RemoveSide;

static SPEC: ModuleSpec = ModuleSpec {
    name: "images.remove-side",
    summary: "Take the dated tag from the images that this run loaded; one that has no other name goes with it",
    effect: Effect::Reversible,
    inputs: &[ASSET, SIDE],
    outputs: &["removed"],
    idempotent: true,
    undo: "none; the images can be loaded again from the same backup",
    programs: &["ssh", "docker"],
};

#[derive(Deserialize)]
pub(super) struct Input {
    pub asset: AssetId,
    pub side: String,
}

#[async_trait::async_trait]
impl Module for RemoveSide {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Images { asset: "asset", tag: "side" })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(remove(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let left = left(&Engine::of(cx, &input.asset)?, &input.side).await?;
            Ok::<_, Stop>(match left.first() {
                None => Reality::Done(values(json!({ "removed": input.side }))),
                Some((name, _)) => Reality::NotDone(format!("{} is still there", retagged(name, &input.side))),
            })
        };
        looking.await.unwrap_or_else(Reality::from)
    }
}

/// Live names whose dated one an image has, each with that image.
pub(super) async fn left(engine: &Engine<'_>, side: &str) -> Result<Vec<(String, String)>, Stop> {
    let mut left = Vec::new();
    for name in &engine.live.names {
        if let Some(image) = engine.image(&retagged(name, side)).await? {
            left.push((name.clone(), image.id));
        }
    }
    Ok(left)
}

async fn remove(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let engine = Engine::of(cx, &input.asset)?;
    for (name, id) in left(&engine, &input.side).await? {
        let side = retagged(&name, &input.side);
        if !Note::read(cx, &input.side).is_some_and(|note| note.owns(&name, &id)) {
            return Err(Failure::new(format!("{side} was not loaded by this run"))
                .means("it was left alone")
                .next("find out whose it is; remove it by hand if it is not needed")
                .into());
        }
        engine.unname(&side).await?;
    }
    Ok(values(json!({ "removed": input.side })))
}
