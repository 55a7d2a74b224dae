//! `backup.expire-target`: what a removal is about, in facts that the removal itself does not change.

use super::expiry::{ASSET, COPIES, Doomed, KEPT, Kept, Removal, STORE, amount};
use super::objects;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::stores::StoreErrorKind;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{Module, ModuleSpec};
use crate::tasks::source::store_failure;
use futures::StreamExt as _;
use serde_json::json;

pub struct ExpireTarget;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.expire-target",
    summary: "Say what a removal of backups is about: store, amount, and whether the newest that stays is there",
    effect: Effect::Observe,
    inputs: &[ASSET, STORE, COPIES, KEPT],
    outputs: &["title", "facts", "shown"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[async_trait::async_trait]
impl Module for ExpireTarget {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, identify(cx, input)).await
    }
}

async fn identify(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Removal = read(input)?;
    let location = objects::store(cx, &input.store)?.location();
    // The planner's order is newest first within each source; the first of this store is its newest.
    let newest = input.kept.iter().find(|kept| kept.store == input.store).or(input.kept.first());
    let newest = newest.ok_or_else(|| {
        Failure::new("the plan keeps nothing").means("retention never lets everything go; nothing was removed")
    })?;
    let there = if is_there(cx, newest).await? { "yes" } else { "no" };
    let span = |pick: Option<&Doomed>| pick.map(|copy| copy.taken_at.format("%Y-%m-%d %H:%M UTC").to_string());
    let facts = [
        ("asset", escaped(input.asset.as_str()).into_owned()),
        ("store", format!("{} at {location}", input.store)),
        ("removes", amount(&input.copies)),
        ("oldest", span(input.copies.first()).unwrap_or_default()),
        ("newest", span(input.copies.last()).unwrap_or_default()),
        ("keeps", format!("{} copies", input.kept.len())),
        ("newest kept", newest.backup.to_string()),
        ("it is there", there.to_owned()),
    ];
    let title = format!("{} of {} in store {}", amount(&input.copies), escaped(input.asset.as_str()), input.store);
    Ok(values(json!({ "title": title, "facts": facts, "shown": [] })))
}

async fn is_there(cx: &TaskContext, kept: &Kept) -> Result<bool, Stop> {
    let store = objects::store(cx, &kept.store)?;
    let looked = if kept.path.ends_with('/') {
        let first = store.list(&kept.path, None).next().await;
        first.map_or(Ok(false), |page| page.map(|page| !page.objects.is_empty()))
    } else {
        store.head(&kept.path).await.map(|meta| meta.size == kept.size_bytes && meta.pin().mark() == kept.mark)
    };
    match looked {
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(false),
        looked => looked.map_err(|error| Stop::Unknown(store_failure(&error))),
    }
}
