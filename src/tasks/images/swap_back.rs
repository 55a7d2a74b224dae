//! `images.swap-back`: the images of before get their live names back; the loaded ones keep their dated tag.

use super::engine::{Engine, short};
use super::note::Note;
use super::swap::{INPUTS, Input};
use crate::model::images::retagged;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use serde_json::json;

pub struct SwapBack;

static SPEC: ModuleSpec = ModuleSpec {
    name: "images.swap-back",
    summary: "Give the images of before their live names back",
    effect: Effect::Irreversible,
    inputs: INPUTS,
    outputs: &["now"],
    idempotent: true,
    undo: "none; swap again with a new run",
    programs: &["ssh", "docker"],
};

#[async_trait::async_trait]
impl Module for SwapBack {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(back(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let engine = Engine::of(cx, &input.asset)?;
            for name in &engine.live.names {
                if engine.image(name).await?.map(|image| image.id).as_deref() != input.before(name) {
                    return Ok::<_, Stop>(Reality::NotDone(format!("{name} is not the image of before")));
                }
            }
            Ok(Reality::Done(values(json!({ "now": input.live }))))
        };
        looking.await.unwrap_or_else(Reality::from)
    }
}

async fn back(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (engine, note) = (Engine::of(cx, &input.asset)?, Note::of(cx, &input.side)?);
    for name in &engine.live.names {
        one(&engine, &input, name, note.image(name)?).await?;
    }
    Ok(values(json!({ "now": input.live })))
}

async fn one(engine: &Engine<'_>, input: &Input, name: &str, loaded: &str) -> Result<(), Stop> {
    let now = engine.image(name).await?.map(|image| image.id);
    let before = input.before(name);
    if now.as_deref() != before {
        if now.as_deref() != Some(loaded) {
            return Err(Failure::new(format!("{name} is neither the loaded image nor that of before"))
                .means("somebody named another one since the swap; it was left alone")
                .next("find out who deploys there; the image of before has its dated tag")
                .into());
        }
        // So that the loaded image keeps a name, whatever was taken from it since.
        engine.name(loaded, &retagged(name, &input.side)).await?;
        match before {
            Some(old) => engine.name(old, name).await?,
            None => engine.unname(name).await?,
        }
        engine.cx.feed.line(format!("{name} is {} again", before.map_or_else(|| "not there".to_owned(), short)));
    }
    let aside = retagged(name, &input.aside);
    let dated = engine.image(&aside).await?;
    if dated.is_some_and(|image| Some(image.id.as_str()) == before) {
        engine.unname(&aside).await?;
    }
    Ok(())
}
