//! `files.remove-made`: removes the folder that this run made, under either of its names.

use super::folder::failed;
use super::made_gone::{INPUTS, left};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, settle, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde_json::json;

pub struct RemoveMade;

static SPEC: ModuleSpec = ModuleSpec {
    name: "files.remove-made",
    summary: "Remove the folder that this run made, before or after its swap",
    effect: Effect::Reversible,
    inputs: INPUTS,
    outputs: &["removed"],
    idempotent: true,
    undo: "none; the folder can be unpacked again from the same backup",
    programs: &[],
};

#[async_trait::async_trait]
impl Module for RemoveMade {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Folders { paths: &["target", "side"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(remove(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        match left(cx, input) {
            Ok((_, left)) if left.is_empty() => Reality::Done(values(json!({ "removed": [] }))),
            Ok(_) => Reality::NotDone("the folder is still there".to_owned()),
            Err(failure) => Reality::Unknown(failure),
        }
    }
}

async fn remove(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let (place, left) = left(cx, input)?;
    if let Some((name, _)) = left.iter().find(|(_, ours)| !ours) {
        return Err(Failure::new(format!("{} was not made by this run", place.show(name)))
            .means("it was left alone")
            .next("find out whose it is; remove it by hand if it is not needed")
            .into());
    }
    let removing = tokio::task::spawn_blocking(move || {
        let mut removed = Vec::new();
        for (name, _) in left {
            let shown = place.show(&name);
            place.dir.remove_dir_all(&name).map_err(|error| failed(&format!("removing {shown}"), &error))?;
            removed.push(shown);
        }
        place.sync()?;
        Ok::<_, Failure>(removed)
    });
    let removed = removing.await.map_err(|error| Failure::new(format!("removing broke: {error}")))??;
    Ok(values(json!({ "removed": removed })))
}
