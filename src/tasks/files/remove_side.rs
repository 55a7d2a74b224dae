//! `files.remove-side`: removes a folder that this run made, and nothing else.

use super::folder::{Found, Note, Place, amount_of, failed};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Amount, Counts, InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;

pub struct RemoveSide;

static SPEC: ModuleSpec = ModuleSpec {
    name: "files.remove-side",
    summary: "Remove a folder that this run made beside the live one",
    effect: Effect::Reversible,
    inputs: &[
        InputSpec {
            name: "target",
            kind: InputKind::Text,
            required: true,
            help: "Absolute path of the live folder, which is never removed",
        },
        InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Absolute path of the new folder" },
    ],
    outputs: &["removed"],
    idempotent: true,
    undo: "none; the folder can be unpacked again from the same backup",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    target: PathBuf,
    side: PathBuf,
}

#[async_trait::async_trait]
impl Module for RemoveSide {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Folders { paths: &["side"] })
    }

    fn counts(&self) -> Counts {
        Counts::BOTH
    }

    async fn count(&self, cx: &TaskContext, input: &Values) -> Result<Amount, Stop> {
        let input: Input = read(input)?;
        let (place, [name]) = Place::open([&input.side])?;
        amount_of(cx, place, vec![name]).await
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(remove(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, input: &Values) -> Reality {
        let look = || {
            let input: Input = read(input)?;
            let (place, [name]) = Place::open([&input.side])?;
            Ok::<_, Failure>(match place.find(&name)? {
                Found::Nothing => Reality::Done(values(json!({ "removed": false }))),
                _ => Reality::NotDone("the folder is still there".to_owned()),
            })
        };
        look().unwrap_or_else(Reality::Unknown)
    }
}

async fn remove(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (place, [target, name]) = Place::open([&input.target, &input.side])?;
    let found = place.find(&name)?;
    if found == Found::Nothing {
        return Ok(values(json!({ "removed": false })));
    }
    let ours = Note::read(cx, &input.side).is_some_and(|note| note.owns(&found));
    if !ours || target == name {
        return Err(Failure::new(format!("{} was not made by this run", place.show(&name)))
            .means("it was left alone")
            .next("find out whose it is; remove it by hand if it is not needed")
            .into());
    }
    let removed = tokio::task::spawn_blocking(move || {
        place.dir.remove_dir_all(&name).map_err(|error| failed(&format!("removing {}", place.show(&name)), &error))?;
        place.sync()
    });
    removed.await.map_err(|error| Failure::new(format!("removing broke: {error}")))??;
    Ok(values(json!({ "removed": true })))
}
