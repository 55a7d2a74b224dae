//! `backup.thaw`: asks the archive for every object of a copy that nobody has asked for yet.

use super::{AT_ONCE, DAYS, OBJECTS, STORE, Standing, TIER};
use crate::model::id::StoreId;
use crate::model::task::{Effect, Failure, Progress, Reality, TaskOutcome, Unit, Values};
use crate::stores::{StoreError, ThawRequest};
use crate::tasks::backup::objects::{self, Object};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{Module, ModuleSpec};
use crate::tasks::source::store_failure;
use futures::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::json;

pub struct Ask;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.thaw",
    summary: "Ask the archive of a store for the objects of a copy, which costs money by tier and size",
    effect: Effect::Costly,
    inputs: &[STORE, OBJECTS, TIER, DAYS],
    outputs: &["asked", "before"],
    idempotent: true,
    undo: "none is needed: the archive keeps the objects, and takes the thawed bytes back after the days",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    store: StoreId,
    objects: Vec<Object>,
    #[serde(flatten)]
    request: ThawRequest,
}

#[async_trait::async_trait]
impl Module for Ask {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, ask(cx, input)).await
    }

    /// Asked for is what is on its way or there, whoever asked.
    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let standing = Standing::of(&**objects::store(cx, &input.store)?, &input.objects).await?;
            let left = standing.archived.len();
            Ok::<_, Stop>(if left == 0 {
                Reality::Done(output(0, input.objects.len()))
            } else {
                Reality::NotDone(format!("{left} of {} objects were not asked for yet", input.objects.len()))
            })
        };
        look.await.unwrap_or_else(Reality::from)
    }
}

fn output(asked: usize, before: usize) -> Values {
    values(json!({ "asked": asked, "before": before }))
}

async fn ask(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let store = objects::store(cx, &input.store)?;
    let archive = cx.writable.get(&input.store).ok_or_else(|| {
        Failure::new(format!("store `{}` takes no requests from here", input.store))
            .means("nothing was asked for")
            .next("use keys that may ask for archived objects (s3:RestoreObject)")
    })?;
    let standing = Standing::of(&**store, &input.objects).await?;
    let (total, before) = (standing.archived.len(), input.objects.len() - standing.archived.len());
    let mut asking = stream::iter(standing.archived)
        .map(|object| async move { archive.thaw(&object.name, &object.pin, input.request).await })
        .buffered(AT_ONCE);
    let mut asked = 0;
    while let Some(done) = asking.next().await {
        done.map_err(|error| refused(&error, asked, total))?;
        asked += 1;
        let note = format!("asked of {}", input.store);
        cx.feed.progress(Progress { done: asked as u64, total: Some(total as u64), unit: Unit::Items, note });
    }
    Ok(output(asked, before))
}

fn refused(error: &StoreError, asked: usize, total: usize) -> Stop {
    let failure = store_failure(error)
        .means(format!("{asked} of {total} objects were asked for; a retry asks for the others"))
        .evidence("where no expedited capacity is left, the tiers standard and bulk still are");
    if error.is_transient() { Stop::Unknown(failure) } else { failure.into() }
}
