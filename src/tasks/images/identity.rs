//! `images.identity`: which engine on which machine, and which image each live name has right now.

use super::ASSET;
use super::engine::{Engine, short};
use crate::model::id::AssetId;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;

pub struct Identity;

static SPEC: ModuleSpec = ModuleSpec {
    name: "images.identity",
    summary: "Read the live identity of images: their engine, its machine, and the image that each name has",
    effect: Effect::Observe,
    inputs: &[ASSET],
    outputs: &["title", "facts", "shown"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "docker"],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
}

#[async_trait::async_trait]
impl Module for Identity {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(identify(cx, input).await)
    }
}

async fn identify(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let engine = Engine::of(cx, &input.asset)?;
    let mut facts = vec![
        ("asset".to_owned(), input.asset.to_string()),
        ("engine".to_owned(), engine.title()),
        ("machine".to_owned(), engine.machine().await?),
    ];
    let mut shown = Vec::new();
    for name in &engine.live.names {
        let image = engine.image(name).await?;
        let id = image.as_ref().map_or_else(|| "not there".to_owned(), |image| image.id.clone());
        if let Some(image) = &image {
            for there in engine.containers(&image.id).await? {
                shown.push((there.name, format!("{} from {}", there.state, short(&image.id))));
            }
        }
        facts.push((name.clone(), id));
    }
    let title = format!("images `{}` in {}", input.asset, engine.title());
    Ok(values(json!({ "title": title, "facts": facts, "shown": shown })))
}
