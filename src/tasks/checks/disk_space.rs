//! `disk.space`: whether a folder's filesystem has room for so many bytes.

use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::disk::free_bytes;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;

pub struct DiskSpace;

static SPEC: ModuleSpec = ModuleSpec {
    name: "disk.space",
    summary: "Check that a folder's filesystem has room",
    effect: Effect::Observe,
    inputs: &[
        InputSpec {
            name: "path",
            kind: InputKind::Text,
            required: true,
            help: "Absolute path of a folder on this machine",
        },
        InputSpec { name: "need_bytes", kind: InputKind::Integer, required: true, help: "Bytes that will be written" },
        InputSpec {
            name: "keep_bytes",
            kind: InputKind::Integer,
            required: false,
            help: "Bytes that must stay free; default: a tenth of the need",
        },
    ],
    outputs: &["free_bytes", "need_bytes"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    path: PathBuf,
    need_bytes: u64,
    #[serde(default)]
    keep_bytes: Option<u64>,
}

#[async_trait::async_trait]
impl Module for DiskSpace {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, _cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(check(input))
    }
}

fn check(input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let shown = escaped(&input.path.to_string_lossy()).into_owned();
    let free = free_bytes(&input.path).map_err(|error| {
        Stop::Unknown(
            Failure::new(format!("the free space at {shown} cannot be read: {error}"))
                .means("whether there is room is not known")
                .next("check the path, then look again"),
        )
    })?;
    let keep = input.keep_bytes.unwrap_or(input.need_bytes / 10);
    if free < input.need_bytes.saturating_add(keep) {
        return Err(Failure::new(format!(
            "{shown} has {} free; {} are needed and {} must stay",
            ByteCount(free),
            ByteCount(input.need_bytes),
            ByteCount(keep)
        ))
        .means("the work would fill the filesystem")
        .next("make room, or choose another place")
        .into());
    }
    Ok(values(json!({ "free_bytes": free, "need_bytes": input.need_bytes })))
}
