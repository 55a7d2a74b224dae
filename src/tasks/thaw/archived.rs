//! `backup.archived`: one archived copy of a backup, its objects, and how long it takes until they can be read.

use super::{DAYS, Standing, TIER, takes};
use crate::model::backup::{Backup, Copy};
use crate::model::id::{AssetId, StoreId};
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::stores::{ThawRequest, ThawTier};
use crate::tasks::backup::objects::{self, Object};
use crate::tasks::checks::choice;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Archived;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.archived",
    summary: "Find an archived copy of a backup, pin its objects, and say how long it takes until they can be read",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of the configuration" },
        InputSpec {
            name: "backup",
            kind: InputKind::Text,
            required: true,
            help: "An id, an unambiguous beginning of one, an instant, `latest` or `latest-proven`",
        },
        InputSpec {
            name: "store",
            kind: InputKind::Text,
            required: false,
            help: "Store of the copy; without it the first archived one is taken",
        },
        TIER,
        DAYS,
    ],
    outputs: &[
        "backup",
        "store",
        "location",
        "path",
        "objects",
        "count",
        "size_bytes",
        "title",
        "archives",
        "tier",
        "days",
        "takes",
        "within",
        "elsewhere",
        "under_way",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    backup: String,
    #[serde(default)]
    store: Option<StoreId>,
    #[serde(flatten)]
    request: ThawRequest,
}

#[async_trait::async_trait]
impl Module for Archived {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, find(cx, input)).await
    }
}

async fn find(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let ThawRequest { tier, days } = input.request;
    if !(1..=365).contains(&days) {
        return Err(Failure::new(format!("{days} days is no time to keep thawed bytes"))
            .means("nothing was asked for")
            .next("choose 1 to 365 days")
            .into());
    }
    let backup = choice::backup(&cx.catalog, &input.asset, input.backup.trim())?.backup;
    let only = input.store.filter(|store| !store.as_str().trim().is_empty());
    let (copy, all, standing) = archived(cx, backup, only.as_ref()).await?;
    let (takes, within) = longest(&standing, tier)?;
    let elsewhere = backup.copies.iter().filter(|other| other.archive_class().is_none() && other.store != copy.store);
    let elsewhere: Vec<_> = elsewhere.map(|other| other.store.as_str()).collect();
    let size: u64 = all.iter().map(|object| object.pin.size).sum();
    let (location, count) = (objects::store(cx, &copy.store)?.location(), all.len());
    let noun = if count == 1 { "object" } else { "objects" };
    Ok(values(json!({
        "backup": backup.id, "store": copy.store, "location": location, "path": escaped(&copy.path),
        "objects": all, "count": count, "size_bytes": size,
        "title": format!("{} in {} ({count} {noun}, {})", backup.id, copy.store, ByteCount(size)),
        "archives": standing.archives(), "tier": tier, "days": days, "takes": takes,
        "within": humantime::format_duration(within).to_string(),
        "elsewhere": elsewhere.join(", "), "under_way": standing.thawing,
    })))
}

/// The first copy that somebody must thaw.
async fn archived<'b>(
    cx: &TaskContext,
    backup: &'b Backup,
    only: Option<&StoreId>,
) -> Result<(&'b Copy, Vec<Object>, Standing), Stop> {
    let (mut reasons, mut unseen) = (Vec::new(), false);
    let mut copies: Vec<&Copy> =
        backup.copies.iter().filter(|copy| only.is_none_or(|only| *only == copy.store)).collect();
    copies.sort_by_key(|copy| copy.archive_class().is_none());
    for copy in copies {
        let look = async {
            let store = objects::store(cx, &copy.store)?;
            let all = objects::of(&**store, &cx.catalog, backup, copy).await?;
            let standing = Standing::of(&**store, &all).await?;
            Ok::<_, Stop>((all, standing))
        };
        let (all, standing) = match look.await {
            Ok(seen) => seen,
            // Another store may have it, too.
            Err(stop) => {
                unseen = true;
                reasons.push(format!("the copy in `{}` could not be looked at: {}", copy.store, stop.what()));
                continue;
            }
        };
        if !standing.all_readable() {
            return Ok((copy, all, standing));
        }
        let until = standing.until.map(|at| format!(", until {}", at.format("%Y-%m-%d %H:%M UTC")));
        reasons.push(format!("the copy in `{}` can be read as it is{}", copy.store, until.unwrap_or_default()));
    }
    if unseen {
        let failure = Failure::new(format!("no archived copy of {} was found in what could be looked at", backup.id))
            .means("nothing was asked for")
            .next("see `relight doctor` for the stores, or name the store of the copy");
        return Err(Stop::Unknown(reasons.into_iter().fold(failure, Failure::evidence)));
    }
    let failure = Failure::new(format!("no copy of {} is archived", backup.id))
        .means("there is nothing to thaw")
        .next("restore from a copy that can be read; `relight show` lists them");
    Err(reasons.into_iter().fold(failure, Failure::evidence).into())
}

/// Of all archives that the copy lies in.
fn longest(standing: &Standing, tier: ThawTier) -> Result<(&'static str, Duration), Failure> {
    let mut longest = ("at once", Duration::ZERO);
    for archive in &standing.archives {
        let Some(takes) = takes(archive, tier) else {
            return Err(Failure::new(format!("{} gives nothing out expedited", escaped(archive)))
                .means("nothing was asked for")
                .next("choose the tier standard (within 12 hours) or bulk (within 48 hours)"));
        };
        if takes.1 > longest.1 {
            longest = takes;
        }
    }
    Ok(longest)
}
