//! `images.in-use`: whether any container still runs from the images of before.

use super::engine::Engine;
use super::{ASSET, LIVE, Live};
use crate::model::id::AssetId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;

pub struct InUse;

static SPEC: ModuleSpec = ModuleSpec {
    name: "images.in-use",
    summary: "Look that no container runs from the images of before any more",
    effect: Effect::Observe,
    inputs: &[ASSET, LIVE],
    outputs: &["running"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "docker"],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    live: Live,
}

#[async_trait::async_trait]
impl Module for InUse {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(look(cx, input).await)
    }
}

async fn look(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let engine = Engine::of(cx, &input.asset)?;
    let (mut running, mut old) = (Vec::new(), Vec::new());
    for name in &engine.live.names {
        let now = engine.image(name).await?.map(|image| image.id);
        if let Some(now) = &now {
            running.extend(engine.containers(now).await?.into_iter().filter(|there| there.state == "running"));
        }
        let before = input.live.get(name).and_then(Option::as_deref);
        if let Some(before) = before.filter(|before| now.as_deref() != Some(before)) {
            old.extend(engine.containers(before).await?.into_iter().filter(|there| there.state == "running"));
        }
    }
    let names = |all: &[super::engine::Container]| all.iter().map(|there| there.name.clone()).collect::<Vec<_>>();
    if old.is_empty() {
        return Ok(values(json!({ "running": names(&running) })));
    }
    Err(Failure::new(format!("containers still run from the image of before: {}", names(&old).join(", ")))
        .means("a name that moved changes no container; these go on with the old program")
        .next("make them anew on that host, for example `docker compose up -d`, then look again")
        .into())
}
