//! `backup.discard`: the run's own file or folder, once every store has it.

use super::place::FILE;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use crate::tasks::{artefact, bundle};
use serde::Deserialize;
use serde_json::json;

pub struct Discard;

static SPEC: ModuleSpec = ModuleSpec {
    name: "backup.discard",
    summary: "Remove the file or folder that this run made in its own folder",
    effect: Effect::Reversible,
    inputs: &[FILE],
    outputs: &["removed"],
    idempotent: true,
    undo: "none; the stores have it, and the steps before can make it again",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    file: String,
}

#[async_trait::async_trait]
impl Module for Discard {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::RunFolder)
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(discard(cx, input))
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = || {
            let input: Input = read(input)?;
            let path = artefact::path(cx, &input.file)?;
            let unfinished = artefact::part(&path).exists() || !bundle::there(cx, &input.file)?.is_empty();
            Ok::<_, Failure>(if path.exists() || unfinished {
                Reality::NotDone("it is still there".to_owned())
            } else {
                Reality::Done(values(json!({ "removed": false })))
            })
        };
        look().unwrap_or_else(Reality::Unknown)
    }
}

fn discard(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let folder = bundle::remove(cx, &input.file)?;
    let file = artefact::remove(cx, &input.file)?;
    Ok(values(json!({ "removed": folder || file })))
}
