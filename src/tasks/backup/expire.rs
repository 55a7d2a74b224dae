//! `backup.expire`: removes the copies that the plan lets go, object by object, after it has judged anew.
//!
//! Nothing is removed on the word of the plan alone: in the same second every store of the asset is scanned, the
//! retention is planned again, and one copy that it would keep now, one that was replaced, or one that was to stay
//! and is gone, stops the step before anything goes. Then each object is removed under its pin.

use super::archive;
use super::expiry::{ASSET, COPIES, Doomed, KEPT, Kept, STORE, asset, fresh, judged, objection};
use super::objects::{self, Object};
use crate::model::id::{AssetId, StoreId};
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::stores::{Patience, PruningStore, Removed, StoreError, StoreErrorKind, open_to_prune};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Amount, Counts, InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::source::store_failure;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub struct Expire;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.expire",
    summary: "Remove copies that retention lets go, after judging anew; stop if one of them is to be kept by now",
    effect: Effect::Irreversible,
    inputs: &[
        ASSET,
        STORE,
        COPIES,
        KEPT,
        InputSpec {
            name: "archive_to",
            kind: InputKind::Text,
            required: false,
            help: "Store that gets each object, read back from there, before it goes",
        },
    ],
    outputs: &["removed", "gone_before", "hidden", "bytes", "names"],
    idempotent: true,
    undo: "none; with `archive_to` the archive has every object",
    programs: &[],
};

/// Lines of evidence, and names in the output; the count is always told.
const LINES: usize = 10;
const NAMES: usize = 1000;

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    store: StoreId,
    copies: Vec<Doomed>,
    kept: Vec<Kept>,
    #[serde(default)]
    archive_to: Option<StoreId>,
}

impl Input {
    fn read(input: &Values) -> Result<Self, Failure> {
        let input: Self = read(input)?;
        let archive_to = input.archive_to.clone().filter(|to| !to.as_str().trim().is_empty());
        if input.copies.is_empty() || input.kept.is_empty() {
            return Err(Failure::new("the plan lets nothing go, or keeps nothing")
                .means("retention never lets everything go; nothing was removed")
                .next("make a new plan"));
        }
        Ok(Self { archive_to, ..input })
    }
}

#[async_trait::async_trait]
impl Module for Expire {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn counts(&self) -> Counts {
        Counts::BOTH
    }

    async fn count(&self, cx: &TaskContext, input: &Values) -> Result<Amount, Stop> {
        let left = left(cx, &Input::read(input)?).await?;
        let bytes = left.iter().map(|object| object.pin.size).sum();
        Ok(Amount { objects: Some(left.len() as u64), bytes: Some(bytes) })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(expire(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input = Input::read(input)?;
            let all: usize = input.copies.iter().map(|copy| copy.objects.len()).sum();
            let left = left(cx, &input).await?.len();
            Ok::<_, Stop>(if left == 0 {
                Reality::Done(Tally { before: all, ..Tally::default() }.output())
            } else {
                Reality::NotDone(format!("{left} of {all} objects are still there; what is gone stays gone"))
            })
        };
        look.await.unwrap_or_else(Reality::from)
    }
}

/// The planned objects that are there as planned.
async fn left(cx: &TaskContext, input: &Input) -> Result<Vec<Object>, Stop> {
    let store = objects::store(cx, &input.store)?;
    let mut left = Vec::new();
    for doomed in &input.copies {
        left.extend(objects::present(&**store, doomed).await?.same);
    }
    Ok(left)
}

async fn expire(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input = Input::read(input)?;
    if let Some(to) = &input.archive_to {
        archive::writable(cx, &input.store, to)?;
    }
    let store = tokio::select! {
        checked = checked(cx, &input) => checked?,
        reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
    };
    let mut tally = Tally { total: input.copies.iter().map(|copy| copy.objects.len()).sum(), ..Tally::default() };
    for doomed in &input.copies {
        for object in &doomed.objects {
            // Between two objects, never within one.
            if let Some(reason) = cx.cancel.reason() {
                cx.feed.line(tally.said());
                return Err(Stop::Cancelled(reason));
            }
            let done = one(cx, &input, &*store, doomed, object, &mut tally).await;
            done.map_err(|stop| tally.told_by(stop))?;
            cx.feed.progress(tally.progress());
        }
    }
    cx.feed.line(tally.said());
    Ok(tally.output())
}

/// The store to remove from, once nothing in the world speaks against what the plan wants removed.
async fn checked(cx: &TaskContext, input: &Input) -> Result<Arc<dyn PruningStore>, Stop> {
    let asset = asset(cx, &input.asset)?;
    let reading = objects::store(cx, &input.store)?;
    let catalog = fresh(cx, asset).await?;
    let plans = judged(cx, asset, &catalog);
    let mut against: Vec<String> = input.kept.iter().filter_map(|kept| kept.lost(&catalog)).collect();
    for doomed in &input.copies {
        let present = objects::present(&**reading, doomed).await?;
        let whole = present.odd.is_empty() && present.same.len() == doomed.objects.len();
        against.extend(objection(&plans, &input.store, doomed, whole));
        against.extend(present.odd);
    }
    if !against.is_empty() {
        let failure = Failure::new(format!("what the plan wants removed is no longer what may go: {}", against[0]))
            .means("the world has changed since the plan; this attempt has removed nothing")
            .next("abort this run and make a new plan: it will leave out what is to be kept");
        return Err(against.into_iter().skip(1).take(LINES).fold(failure, Failure::evidence).into());
    }
    let config = cx.estate.store(&input.store).ok_or_else(|| Failure::new("the store is not configured"))?;
    open_to_prune(config, &*cx.secrets, Patience::default()).await.map_err(|error| refused(&error))
}

async fn one(
    cx: &TaskContext,
    input: &Input,
    store: &dyn PruningStore,
    doomed: &Doomed,
    object: &Object,
    tally: &mut Tally,
) -> Result<(), Stop> {
    let name = escaped(&object.name);
    let archived = match &input.archive_to {
        Some(to) => match archive::keep(cx, &input.store, to, object).await {
            Ok(()) => format!(", archived in {to}"),
            Err(stop) => {
                // An earlier attempt may have archived and removed it.
                let gone = store.head(&object.name).await;
                if gone.is_err_and(|error| error.kind == StoreErrorKind::NotFound) {
                    String::new()
                } else {
                    return Err(stop);
                }
            }
        },
        None => String::new(),
    };
    let size = ByteCount(object.pin.size);
    match store.remove(&object.name, &object.pin, cx.clock.now()).await {
        Ok(removed) => {
            tally.took(object, &removed);
            let how = match removed {
                Removed::Gone => "removed".to_owned(),
                Removed::Hidden { marker } => format!("hidden below delete marker {}", escaped(&marker)),
            };
            cx.feed.line(format!(
                "{how}: `{name}` ({size}) of {}{archived}: {}",
                doomed.backup,
                escaped(&doomed.reason)
            ));
        }
        Err(error) if error.kind == StoreErrorKind::NotFound => {
            tally.before += 1;
            cx.feed.line(format!("gone already: `{name}` of {}", doomed.backup));
        }
        Err(error) => return Err(refused(&error)),
    }
    Ok(())
}

fn refused(error: &StoreError) -> Stop {
    let failure = store_failure(error);
    // Nobody knows whether a request that broke off was carried out: the next look tells.
    if error.is_transient() {
        return Stop::Unknown(failure.means("whether this object is gone is not known; the others were not touched"));
    }
    failure.means("this object and those after it are still there").into()
}

#[derive(Default)]
struct Tally {
    total: usize,
    removed: usize,
    before: usize,
    hidden: usize,
    bytes: u64,
    names: Vec<String>,
}

impl Tally {
    fn took(&mut self, object: &Object, removed: &Removed) {
        self.removed += 1;
        self.hidden += usize::from(*removed != Removed::Gone);
        self.bytes += object.pin.size;
        if self.names.len() < NAMES {
            self.names.push(object.name.clone());
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            done: (self.removed + self.before) as u64,
            total: Some(self.total as u64),
            unit: Unit::Objects,
            note: format!("{} removed", ByteCount(self.bytes)),
        }
    }

    fn said(&self) -> String {
        let hidden = match self.hidden {
            0 => String::new(),
            hidden => {
                format!("; the bytes of {hidden} stay below delete markers until the bucket lets old versions go")
            }
        };
        let (removed, total, size) = (self.removed, self.total, ByteCount(self.bytes));
        format!("{removed} of {total} objects removed ({size}), {} were gone already{hidden}", self.before)
    }

    /// What had gone before the trouble is journalled with it.
    fn told_by(&self, stop: Stop) -> Stop {
        let last = self.names.iter().rev().take(LINES).map(|name| format!("removed before: `{}`", escaped(name)));
        last.fold(stop.evidence(self.said()), Stop::evidence)
    }

    fn output(&self) -> Values {
        values(json!({
            "removed": self.removed,
            "gone_before": self.before,
            "hidden": self.hidden,
            "bytes": self.bytes,
            "names": self.names,
        }))
    }
}
