//! `models.destination`: the folders and manifests that a backup of this minute has in the asset's own layout.

use super::place::RunPlace;
use crate::model::id::AssetId;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::backup::naming::{Layout, asked, free, nowhere, place, previous, titles};
use crate::tasks::backup::place::Place;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;

pub struct Destination;

static SPEC: ModuleSpec = ModuleSpec {
    name: "models.destination",
    summary: "Find the folders and manifests that a new backup of a registry has in every store of its asset",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of the configuration" },
        InputSpec { name: "stamp", kind: InputKind::Text, required: true, help: "`plan.stamp`" },
    ],
    outputs: &["places", "file", "title", "previous", "previous_bytes", "left_out"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    stamp: String,
}

#[async_trait::async_trait]
impl Module for Destination {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, find(cx, input)).await
    }
}

async fn find(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (asset, at) = asked(cx, &input.asset, &input.stamp)?;
    let (mut places, mut left_out) = (Vec::<RunPlace>::new(), Vec::new());
    for source in &asset.sources {
        match place(&cx.estate, source, at, Layout::Folder, false) {
            Ok(place) => places.push(RunPlace::of(place)),
            Err(why) => left_out.push(format!("{} in `{}`: {why}", escaped(&source.pattern), source.store)),
        }
    }
    if places.is_empty() {
        let wanted = "whose `match` is one folder with a {time} in it, and a / at its end";
        return Err(nowhere(asset, wanted, left_out).into());
    }
    for run in &places {
        free(cx, &run.place).await?;
        free(cx, &Place { path: run.manifest.clone(), ..run.place.clone() }).await?;
    }
    let previous = previous(&cx.catalog, asset, |path| path.ends_with('/'));
    Ok(values(json!({
        "file": places[0].manifest.rsplit('/').next(),
        "title": titles(places.iter().map(|run| &run.place)),
        "previous": previous.map(|(backup, _)| &backup.id),
        "previous_bytes": previous.map(|(_, copy)| copy.size_bytes),
        "places": places,
        "left_out": left_out,
    })))
}
