//! `backup.expiring`: the copies in one store that retention lets go, each with its objects and their pins.

use super::archive;
use super::expiry::{ASSET, Doomed, Kept, STORE, amount, asset, fresh, judged, kept, stands};
use super::objects::{self, MOST};
use crate::catalog::Catalog;
use crate::model::id::{AssetId, StoreId};
use crate::model::proof::Level;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::retention::{Item, SourcePlan};
use crate::stores::Store;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;

pub struct Expiring;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.expiring",
    summary: "Find the copies in one store that the retention of an asset lets go, and pin their objects",
    effect: Effect::Observe,
    inputs: &[
        ASSET,
        STORE,
        InputSpec {
            name: "most",
            kind: InputKind::Integer,
            required: false,
            help: "Most copies, oldest first; default 200",
        },
        InputSpec {
            name: "archive_to",
            kind: InputKind::Text,
            required: false,
            help: "Store that must be able to take each copy before it goes",
        },
    ],
    outputs: &[
        "asset",
        "store",
        "location",
        "title",
        "names",
        "copies",
        "count",
        "objects",
        "bytes",
        "size",
        "left",
        "kept",
        "kept_count",
        "stands",
        "level",
        "archive_to",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

const COPIES: u64 = 200;
/// Names that a line of the plan shows.
const SHOWN: usize = 8;

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    store: StoreId,
    #[serde(default)]
    most: Option<u64>,
    #[serde(default)]
    archive_to: Option<StoreId>,
}

#[async_trait::async_trait]
impl Module for Expiring {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, find(cx, input)).await
    }
}

async fn find(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let asset = asset(cx, &input.asset)?;
    let store = objects::store(cx, &input.store)?;
    let archive_to = input.archive_to.as_ref().filter(|to| !to.as_str().trim().is_empty());
    if let Some(to) = archive_to {
        archive::writable(cx, &input.store, to)?;
    }
    let catalog = fresh(cx, asset).await?;
    let plans = judged(cx, asset, &catalog);
    let here: Vec<&SourcePlan<'_>> = plans.iter().filter(|plan| *plan.store == input.store).collect();
    let mut expiring: Vec<&Item<'_>> = here.iter().flat_map(|plan| plan.expiring()).collect();
    expiring.sort_by(|a, b| a.backup.taken_at.cmp(&b.backup.taken_at).then_with(|| a.copy.path.cmp(&b.copy.path)));
    if expiring.is_empty() {
        return Err(nothing(&input, &here).into());
    }
    let Some(proven) = stands(&catalog, &asset.id, cx.clock.now()) else {
        return Err(nothing(&input, &here).into());
    };
    let most = usize::try_from(input.most.unwrap_or(COPIES)).unwrap_or(usize::MAX);
    let copies = pinned(&**store, &catalog, &expiring[..expiring.len().min(most)]).await?;
    let kept: Vec<Kept> = kept(&plans);
    let level = proven.proof.as_ref().map_or(Level::L4, |proof| proof.level.min(Level::L4));
    let bytes: u64 = copies.iter().map(Doomed::bytes).sum();
    Ok(values(json!({
        "asset": asset.id,
        "store": input.store,
        "location": store.location(),
        "title": amount(&copies),
        "names": names(&copies),
        "count": copies.len(),
        "objects": copies.iter().map(|copy| copy.objects.len()).sum::<usize>(),
        "bytes": bytes,
        "size": ByteCount(bytes).to_string(),
        "left": expiring.len() - copies.len(),
        "kept_count": kept.len(),
        "kept": kept,
        "copies": copies,
        "stands": proven.id,
        "level": level,
        "archive_to": archive_to,
    })))
}

fn nothing(input: &Input, plans: &[&SourcePlan<'_>]) -> Failure {
    let failure = Failure::new(format!(
        "retention lets nothing of `{}` go in store `{}`",
        escaped(input.asset.as_str()),
        escaped(input.store.as_str())
    ))
    .next("`relight retention --all` tells what is kept, and why");
    if plans.is_empty() {
        return failure.means("none of its sources brings backups there");
    }
    let newest = plans.iter().flat_map(|plan| &plan.items).filter(|item| item.reasons.len() == 1);
    let reasons: std::collections::BTreeSet<&str> = newest.map(|item| item.reasons[0].as_str()).collect();
    let failure = failure.means("there is nothing to remove");
    reasons
        .into_iter()
        .filter(|why| why.contains("proven") || why.contains("retention"))
        .take(3)
        .fold(failure, |failure, why| failure.evidence(format!("kept: {}", escaped(why))))
}

/// Oldest first, as many as one plan can name.
async fn pinned(store: &dyn Store, catalog: &Catalog, items: &[&Item<'_>]) -> Result<Vec<Doomed>, Stop> {
    let (mut copies, mut total): (Vec<Doomed>, usize) = (Vec::new(), 0);
    for item in items {
        let objects = objects::of(store, catalog, item.backup, item.copy).await?;
        total += objects.len();
        if total > MOST && !copies.is_empty() {
            break;
        }
        copies.push(Doomed {
            backup: item.backup.id.clone(),
            path: item.copy.path.clone(),
            taken_at: item.backup.taken_at,
            reason: item.reasons.join(", "),
            objects,
        });
    }
    Ok(copies)
}

fn names(copies: &[Doomed]) -> String {
    let mut names: Vec<String> = copies.iter().take(SHOWN).map(|copy| escaped(&copy.path).into_owned()).collect();
    if copies.len() > SHOWN {
        names.push(format!("and {} more", copies.len() - SHOWN));
    }
    names.join(", ")
}
