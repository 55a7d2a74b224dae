//! `backup.confirm`: the catalog, scanned anew, shows the new backup in every place, and each copy is proven.

use super::place::{PLACES, Place};
use super::rescan::rescan;
use crate::catalog::Catalog;
use crate::model::backup::Backup;
use crate::model::id::AssetId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::checks::backup_verify::prove_copy;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;

pub struct Confirm;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.confirm",
    summary: "Scan the stores for the new backup, and prove every copy of it",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset that it is a backup of" },
        PLACES,
        InputSpec { name: "level", kind: InputKind::Text, required: false, help: "L1 to L4; default L4" },
    ],
    outputs: &["backup", "proofs"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    places: Vec<Place>,
    #[serde(default)]
    level: Option<String>,
}

#[async_trait::async_trait]
impl Module for Confirm {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, confirm(cx, input)).await
    }
}

async fn confirm(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let stores = input.places.iter().map(|place| &place.store).collect();
    let catalog = rescan(cx, &stores, "whether the catalog shows the new backup is not known").await?;
    let mut proofs = Vec::new();
    let mut seen = BTreeSet::new();
    for place in &input.places {
        let backup = listed(&catalog, &input.asset, place)?;
        proofs.push(prove_copy(cx, backup, &place.store, &place.path, input.level.as_deref()).await?);
        seen.insert(&backup.id);
    }
    let mut seen = seen.into_iter();
    let (Some(backup), None) = (seen.next(), seen.next()) else {
        return Err(Failure::new("the copies are not taken for one backup")
            .means("each is proven, but the catalog shows them apart")
            .next("compare the zones and patterns of the asset's sources")
            .into());
    };
    Ok(values(json!({ "backup": backup, "proofs": proofs })))
}

fn listed<'c>(catalog: &'c Catalog, asset: &AssetId, place: &Place) -> Result<&'c Backup, Failure> {
    let here = |backup: &&Backup| backup.copies.iter().any(|c| c.store == place.store && c.path == place.path);
    let shown = format!("`{}` in store `{}`", escaped(&place.path), place.store);
    let backup = catalog.of_asset(asset).find(here).ok_or_else(|| {
        Failure::new(format!("the catalog does not show {shown} as a backup of `{asset}`"))
            .means("nobody would find it on the night that it is needed")
            .next("compare the asset's sources with the name")
    })?;
    if backup.complete == Some(false) {
        let why = backup.incomplete_because.first().cloned().unwrap_or_default();
        return Err(Failure::new(format!("the catalog takes {shown} for incomplete: {}", escaped(&why)))
            .means("it could not be restored")
            .next("make the backup again"));
    }
    Ok(backup)
}
