//! `models.destination`: the folders and manifests that a backup of this minute has in the asset's own layout.

use super::place::RunPlace;
use crate::catalog::{Pattern, is_restorable};
use crate::model::backup::BackupKind;
use crate::model::estate::{Estate, Source};
use crate::model::id::AssetId;
use crate::model::proof::ProofOutcome;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::stores::StoreErrorKind;
use crate::tasks::backup::place::Place;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::source::store_failure;
use chrono::NaiveDateTime;
use futures::StreamExt;
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
    let asset = cx
        .estate
        .asset(&input.asset)
        .ok_or_else(|| Failure::new(format!("asset `{}` is not configured", escaped(input.asset.as_str()))))?;
    let at = NaiveDateTime::parse_from_str(&input.stamp, "%Y%m%d_%H%M%S")
        .map_err(|error| Failure::new(format!("the plan's stamp `{}` is no time: {error}", escaped(&input.stamp))))?;
    let (mut places, mut left_out) = (Vec::<RunPlace>::new(), Vec::new());
    for source in &asset.sources {
        match folder(&cx.estate, source, at) {
            Ok(place) => places.push(RunPlace::of(place)),
            Err(why) => left_out.push(format!("{} in `{}`: {why}", escaped(&source.pattern), source.store)),
        }
    }
    if places.is_empty() {
        let failure = Failure::new(format!("asset `{}` has no source that a new backup could be named by", asset.id))
            .means("nobody knows where its backup belongs; nothing was done")
            .next("add a source whose `match` is one folder with a {time} in it and a slash at its end");
        return Err(left_out.into_iter().fold(failure, Failure::evidence).into());
    }
    for place in &places {
        free(cx, place).await?;
    }
    let sound = |backup: &&crate::model::backup::Backup| {
        is_restorable(backup) && backup.proof.as_ref().is_none_or(|proof| proof.outcome != ProofOutcome::Failed)
    };
    let previous = cx.catalog.of_asset(&asset.id).filter(sound).max_by_key(|backup| backup.taken_at);
    let titles: Vec<String> =
        places.iter().map(|run| format!("{} in store {}", escaped(&run.place.path), run.place.store)).collect();
    Ok(values(json!({
        "file": places[0].manifest.rsplit('/').next(),
        "title": titles.join(", and "),
        "previous": previous.map(|backup| &backup.id),
        "previous_bytes": previous.and_then(|backup| backup.copies.first()).map(|copy| copy.size_bytes),
        "places": places,
        "left_out": left_out,
    })))
}

fn folder(estate: &Estate, source: &Source, at: NaiveDateTime) -> Result<Place, String> {
    if !matches!(source.kind, BackupKind::Full | BackupKind::Archive | BackupKind::Snapshot) {
        return Err(format!("it is for backups of kind {}", source.kind));
    }
    if source.encrypted {
        return Err("its backups are encrypted".to_owned());
    }
    let name = source.pattern.strip_suffix('/').ok_or("it is not a folder")?;
    let pattern = Pattern::parse(name).map_err(|error| error.message)?;
    let store_zone = estate.store(&source.store).map_or(chrono_tz::UTC, |store| store.time_zone);
    let local = at.and_utc().with_timezone(&source.time_zone.unwrap_or(store_zone)).naive_local();
    let path = pattern.name_at(local).ok_or("it is not one plain folder with a time in its name")?;
    Ok(Place { store: source.store.clone(), path: format!("{path}/"), min_size: source.min_size })
}

/// Seen free while the plan is made; publishing never overwrites whatever comes later.
async fn free(cx: &TaskContext, run: &RunPlace) -> Result<(), Stop> {
    let unknown = |error| Stop::Unknown(store_failure(&error).means("whether the name is free is not known"));
    let (store, place) = (run.place.writable(cx)?, &run.place);
    let mut pages = store.list(&place.path, None);
    let mut taken = None;
    while let (None, Some(page)) = (&taken, pages.next().await) {
        let page = page.map_err(unknown)?;
        taken = page.objects.into_iter().next().map(|object| object.name);
    }
    match store.head(&run.manifest).await {
        Ok(_) => taken = Some(run.manifest.clone()),
        Err(error) if error.kind == StoreErrorKind::NotFound => {}
        Err(error) => return Err(unknown(error)),
    }
    match taken {
        None => Ok(()),
        Some(name) => Err(Failure::new(format!("store `{}` has an object `{}` already", place.store, escaped(&name)))
            .means("a backup never overwrites another; nothing was done")
            .next("make the plan again: the names carry its time")
            .into()),
    }
}
