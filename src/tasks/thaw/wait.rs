//! `backup.thawed`: waits until every object of a copy can be read, and reads of it.

use super::{AT_ONCE, OBJECTS, STORE, Standing};
use crate::model::id::StoreId;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::tasks::backup::objects::{self, Object};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::{Patience, span};
use crate::tasks::source::store_failure;
use futures::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;

pub struct Wait;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.thawed",
    summary: "Wait until every object of a copy can be read, and read the first byte of each",
    effect: Effect::Observe,
    inputs: &[
        STORE,
        OBJECTS,
        InputSpec { name: "within", kind: InputKind::Text, required: false, help: "How long to wait; default 2m" },
        InputSpec { name: "every", kind: InputKind::Text, required: false, help: "Time between two looks; default 1m" },
    ],
    outputs: &["readable", "until"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    store: StoreId,
    objects: Vec<Object>,
    #[serde(default)]
    within: Option<String>,
    #[serde(default)]
    every: Option<String>,
}

#[async_trait::async_trait]
impl Module for Wait {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, wait(cx, input)).await
    }
}

async fn wait(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let every = span(Some(input.every.as_deref().unwrap_or("1m")))?;
    let mut patience = Patience::new(cx, input.within.as_deref(), every)?;
    let store = objects::store(cx, &input.store)?;
    let total = input.objects.len();
    let standing = loop {
        let standing = Standing::of(&**store, &input.objects).await?;
        let ready = standing.readable + standing.thawed;
        let note = format!("readable in {}", input.store);
        cx.feed.progress(Progress { done: ready as u64, total: Some(total as u64), unit: Unit::Items, note });
        if !standing.archived.is_empty() {
            return Err(Failure::new(format!(
                "{} of {total} objects are archived, and not asked for",
                standing.archived.len()
            ))
            .means("waiting does not bring them; thawed bytes may have gone back meanwhile")
            .next("make a new plan, which asks for them")
            .into());
        }
        if standing.all_readable() {
            break standing;
        }
        let missing = format!("{ready} of {total} objects can be read; the archive brings the others");
        if !patience.again(&missing).await? {
            return Err(Failure::new(missing)
                .means("the archive takes longer than it says")
                .next("retry to go on waiting; the provider's status page may tell why")
                .into());
        }
    };
    // The store's word is one thing, a byte another.
    let filled = input.objects.iter().filter(|object| object.pin.size > 0);
    let reads: Vec<_> = filled.map(|object| store.read_pieces(&object.name, 0..1, Some(&object.pin))).collect();
    let mut read = stream::iter(reads).buffered(AT_ONCE);
    while let Some(byte) = read.next().await {
        byte.map_err(|error| {
            Stop::Unknown(store_failure(&error).means("it is said to be thawed, and cannot be read"))
        })?;
    }
    Ok(values(json!({
        "readable": total,
        "until": standing.until.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string()),
    })))
}
