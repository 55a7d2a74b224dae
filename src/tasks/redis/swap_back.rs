//! `redis.swap-back`: the old data folder gets its name back, the restored one its name of before the swap.

use super::look::{Seen, look};
use super::scene::{Input, Scene, Stage};
use super::swap::INPUTS;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde_json::json;

pub struct SwapBack;

static SPEC: ModuleSpec = ModuleSpec {
    name: "redis.swap-back",
    summary: "Stop the server, give its old data folder the live name again, and start it",
    effect: Effect::Irreversible,
    inputs: INPUTS,
    outputs: &["keys"],
    idempotent: true,
    undo: "none; swap again with a new run",
    programs: &["ssh", "mv"],
};

#[async_trait::async_trait]
impl Module for SwapBack {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Servers { names: &["server"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(back(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let scene = Scene::read(cx, &input).await?;
            let seen = look(cx, scene.home.server).await?;
            Ok::<_, Stop>(match (scene.stage, seen) {
                (Stage::Before, Seen::Up(info)) => Reality::Done(values(json!({ "keys": info.total().keys }))),
                (stage, seen) => Reality::NotDone(format!("the folders are at {stage:?}; the server {}", seen.words())),
            })
        };
        looking.await.unwrap_or_else(Reality::from)
    }
}

async fn back(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let mut scene = Scene::read(cx, &input).await?;
    let live = scene.home.place.data_dir.clone();
    if scene.stage == Stage::After {
        scene.stop().await?;
        scene.rename(&live, &input.side).await?;
        scene = Scene::read(cx, &input).await?;
    }
    if scene.stage == Stage::Between {
        scene.rename(&input.aside, &live).await?;
        scene = Scene::read(cx, &input).await?;
    }
    let info = scene.start().await?;
    Ok(values(json!({ "keys": info.total().keys })))
}
