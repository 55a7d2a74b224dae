//! `images.inspect`: which images an asset's engine has under the live names, and what runs from them.

use super::engine::{Engine, short};
use super::{ASSET, Live};
use crate::model::id::AssetId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;

pub struct Inspect;

static SPEC: ModuleSpec = ModuleSpec {
    name: "images.inspect",
    summary: "Look at the live images of an asset in their engine, and at the containers that run from them",
    effect: Effect::Observe,
    inputs: &[ASSET],
    outputs: &["host", "engine", "title", "names", "live", "shown", "bytes", "size", "containers", "health_url"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "docker"],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
}

#[async_trait::async_trait]
impl Module for Inspect {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(inspect(cx, input).await)
    }
}

async fn inspect(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let engine = Engine::of(cx, &input.asset)?;
    let (mut live, mut shown, mut containers, mut bytes) = (Live::new(), Vec::new(), Vec::new(), 0);
    for name in &engine.live.names {
        let Some(image) = engine.image(name).await? else {
            shown.push(format!("{name} is not there"));
            live.insert(name.clone(), None);
            continue;
        };
        let made = image.created.get(..10).map_or("an unknown day".into(), escaped);
        shown.push(format!("{name} is {}, made on {made}, {}", short(&image.id), ByteCount(image.size)));
        bytes += image.size;
        containers.extend(engine.containers(&image.id).await?.into_iter().map(|there| there.name));
        live.insert(name.clone(), Some(image.id));
    }
    Ok(values(json!({
        "host": engine.host.id.as_str(),
        "engine": engine.live.engine.join(" "),
        "title": engine.title(),
        "names": engine.live.names.join(", "),
        "live": live,
        "shown": shown.join("; "),
        "bytes": bytes,
        "size": ByteCount(bytes).to_string(),
        "containers": containers.join(", "),
        "health_url": cx.estate.asset(&input.asset).and_then(|asset| asset.health_url.clone()),
    })))
}
