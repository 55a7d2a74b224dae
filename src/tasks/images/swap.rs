//! `images.swap`: the live names go to the loaded images, and the images of before get a dated tag.

use super::engine::{Engine, short};
use super::note::Note;
use super::{ASIDE, ASSET, LIVE, Live, SIDE};
use crate::model::id::AssetId;
use crate::model::images::retagged;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputSpec, Module, ModuleSpec, Reality};
use serde::Deserialize;
use serde_json::json;

pub struct Swap;

pub(super) const INPUTS: &[InputSpec] = &[ASSET, LIVE, SIDE, ASIDE];

static SPEC: ModuleSpec = ModuleSpec {
    name: "images.swap",
    summary: "Give the live names to the loaded images, and the images of before a dated tag",
    effect: Effect::Irreversible,
    inputs: INPUTS,
    outputs: &["aside", "now"],
    idempotent: true,
    undo: "images.swap-back gives the images of before their names back",
    programs: &["ssh", "docker"],
};

#[derive(Deserialize)]
pub(super) struct Input {
    pub asset: AssetId,
    pub live: Live,
    pub side: String,
    pub aside: String,
}

impl Input {
    /// The image that a name had in the plan.
    pub fn before(&self, name: &str) -> Option<&str> {
        self.live.get(name).and_then(Option::as_deref)
    }
}

#[async_trait::async_trait]
impl Module for Swap {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(swap(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let (engine, note) = (Engine::of(cx, &input.asset)?, Note::of(cx, &input.side)?);
            for name in &engine.live.names {
                let now = engine.image(name).await?.map(|image| image.id);
                if now.as_deref() != Some(note.image(name)?) {
                    return Ok::<_, Stop>(Reality::NotDone(format!("{name} is not the loaded image")));
                }
            }
            Ok(Reality::Done(output(&engine, &input, &note)))
        };
        looking.await.unwrap_or_else(Reality::from)
    }
}

fn output(engine: &Engine<'_>, input: &Input, note: &Note) -> Values {
    let moved =
        |name: &&String| input.before(name).is_some_and(|id| note.loaded.get(*name).is_none_or(|new| new != id));
    let aside: Vec<String> = engine.live.names.iter().filter(moved).map(|name| retagged(name, &input.aside)).collect();
    values(json!({ "aside": aside, "now": note.loaded }))
}

/// From wherever an earlier attempt was cut off, always forward. All is looked at before the first name moves.
async fn swap(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (engine, note) = (Engine::of(cx, &input.asset)?, Note::of(cx, &input.side)?);
    let mut to_move = Vec::new();
    for name in &engine.live.names {
        let new = note.image(name)?;
        let now = engine.image(name).await?.map(|image| image.id);
        if now.as_deref() == Some(new) {
            continue;
        }
        if now.as_deref() != input.before(name) {
            return Err(Failure::new(format!("{name} is not the image of the plan any more"))
                .means("somebody built, pulled or removed it meanwhile; no name was moved")
                .next("find out who deploys there, then make a new plan")
                .into());
        }
        let aside = retagged(name, &input.aside);
        let taken = engine.image(&aside).await?.filter(|image| Some(image.id.as_str()) != now.as_deref());
        if taken.is_some() {
            return Err(Failure::new(format!("{aside} is another image already"))
                .means("the image of before would have no name left; no name was moved")
                .next("find out whose it is; a new plan has another name")
                .into());
        }
        to_move.push((name, now, aside, new));
    }
    for (name, now, aside, new) in to_move {
        if let Some(old) = now {
            engine.name(&old, &aside).await?;
        }
        engine.name(new, name).await?;
        cx.feed.line(format!("{name} is now {}", short(new)));
    }
    Ok(output(&engine, &input, &note))
}
