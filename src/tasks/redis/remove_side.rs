//! `redis.remove-side`: removes the data folder that this run made beside the live one; `redis.remove-here` the one
//! on this machine.

use super::note::Note;
use super::scratch::{Side, folder_id};
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;

pub struct RemoveSide {
    here: bool,
}

impl RemoveSide {
    pub const BESIDE: Self = Self { here: false };
    pub const HERE: Self = Self { here: true };
}

static SPEC_HERE: ModuleSpec = ModuleSpec {
    name: "redis.remove-here",
    summary: "End the Redis of a trial on this machine, and remove the folder that this run made for it",
    effect: Effect::Reversible,
    inputs: &[super::SERVER, super::SIDE],
    outputs: &["removed"],
    idempotent: true,
    undo: "none; the folder can be made again from the same backup",
    programs: &["redis-cli", "rm"],
};

static SPEC: ModuleSpec = ModuleSpec {
    name: "redis.remove-side",
    summary: "End the Redis beside the live one, and remove the data folder that this run made",
    effect: Effect::Reversible,
    inputs: &[super::SERVER, super::SIDE],
    outputs: &["removed"],
    idempotent: true,
    undo: "none; the folder can be made again from the same backup",
    programs: &["ssh", "redis-cli", "rm"],
};

#[derive(Deserialize)]
pub(super) struct Input {
    pub server: ServerId,
    pub side: String,
}

#[async_trait::async_trait]
impl Module for RemoveSide {
    fn spec(&self) -> &'static ModuleSpec {
        if self.here { &SPEC_HERE } else { &SPEC }
    }

    fn reach(&self) -> Option<Reach> {
        self.here.then_some(Reach::Folders { paths: &["side"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        let work = async {
            let input: Input = read(input)?;
            let side = Side::at(cx, self.here, &input.server, &input.side)?;
            if let Some(found) = folder_id(&side.home(), side.folder()).await? {
                remove(cx, &side, &found).await?;
            }
            Ok(values(json!({ "removed": input.side })))
        };
        settle(work.await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let side = Side::at(cx, self.here, &input.server, &input.side)?;
            Ok::<_, Stop>(match folder_id(&side.home(), side.folder()).await? {
                None => Reality::Done(values(json!({ "removed": input.side }))),
                Some(_) => Reality::NotDone("the folder is still there".to_owned()),
            })
        };
        looking.await.unwrap_or_else(Reality::from)
    }
}

/// Removes the folder if it is this run's: by device and inode, or, where the run died right after making it,
/// because it is empty.
pub(super) async fn remove(cx: &TaskContext, side: &Side<'_>, found: &String) -> Result<(), Stop> {
    let note = Note::read(cx, side.folder());
    if note.as_ref().is_some_and(|note| note.owns(Some(found))) {
        side.end().await?;
        side.home().must("removing the new data folder", &["rm", "-rf", "--", side.folder()]).await?;
        return Ok(());
    }
    if note.is_some_and(|note| note.id.is_none()) {
        side.home().must("removing the empty folder", &["rmdir", "--", side.folder()]).await?;
        return Ok(());
    }
    Err(Failure::new(format!("{} was not made by this run", escaped(side.folder())))
        .means("it was left alone")
        .next("find out whose it is; remove it by hand if it is not needed")
        .into())
}
