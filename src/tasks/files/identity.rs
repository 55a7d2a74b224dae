//! `files.identity`: what a live folder is right now.

use super::folder::{Found, Place, failed, tally};
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;
use std::path::{Path, PathBuf};

pub struct Identity;

static SPEC: ModuleSpec = ModuleSpec {
    name: "files.identity",
    summary: "Read the live identity of a folder: host, inode, files, bytes, newest change",
    effect: Effect::Observe,
    inputs: &[InputSpec {
        name: "target",
        kind: InputKind::Text,
        required: true,
        help: "Absolute path of the live folder",
    }],
    outputs: &["title", "facts", "shown"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    target: PathBuf,
}

#[async_trait::async_trait]
impl Module for Identity {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        let look = async {
            let input: Input = read(input)?;
            let cancel = cx.cancel.clone();
            let host = cx.actor.host.clone();
            let looked =
                tokio::task::spawn_blocking(move || identify(&input.target, &host, &|| cancel.reason().is_some()))
                    .await;
            if let Some(reason) = cx.cancel.reason() {
                return Err(Stop::Cancelled(reason));
            }
            Ok(looked.map_err(|error| Failure::new(format!("the look broke: {error}")))??)
        };
        settle(look.await)
    }
}

fn identify(target: &Path, host: &str, stop: &dyn Fn() -> bool) -> Result<Values, Failure> {
    let (place, [name]) = Place::open([target])?;
    let path = place.show(&name);
    let mut facts = vec![("host", host.to_owned()), ("folder", path.clone())];
    match place.find(&name)? {
        Found::Nothing => facts.push(("present", "no: there is no folder of this name".to_owned())),
        Found::Other(what) => facts.push(("present", format!("no: it is {what}"))),
        Found::Folder(id) => {
            let dir = place.dir.open_dir(&name).map_err(|error| failed(&format!("opening {path}"), &error))?;
            let (tally, newest) = tally(&dir, stop).map_err(|error| failed(&format!("counting {path}"), &error))?;
            let newest = newest.and_then(|at| chrono::DateTime::from_timestamp(at, 0));
            facts.extend([
                ("present", "yes".to_owned()),
                ("inode", id.to_string()),
                ("files", tally.files.to_string()),
                ("size", format!("{} ({} bytes)", ByteCount(tally.bytes), tally.bytes)),
                (
                    "newest change",
                    newest.map_or("none".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
                ),
            ]);
        }
    }
    Ok(values(json!({ "title": format!("folder {path} on {}", escaped(host)), "facts": facts, "shown": [] })))
}
