//! `traffic.file-back`: puts the file back that `traffic.file` replaced.

use super::file::{NOT_MOVED, Place};
use crate::model::id::AssetId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use serde::Deserialize;
use serde_json::json;

pub struct FileBack;

static SPEC: ModuleSpec = ModuleSpec {
    name: "traffic.file-back",
    summary: "Put the former traffic file back in place, and reload its reader",
    effect: Effect::Reversible,
    inputs: &[
        InputSpec {
            name: "asset",
            kind: InputKind::Text,
            required: true,
            help: "Asset whose server describes its traffic",
        },
        InputSpec { name: "stamp", kind: InputKind::Text, required: true, help: "The stamp under which it was kept" },
    ],
    outputs: &["traffic"],
    idempotent: true,
    undo: "traffic.file points clients at a server again",
    programs: &["ssh", "tee", "mv"],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    stamp: String,
}

#[async_trait::async_trait]
impl Module for FileBack {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(back(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("putting the same file back again does no harm".to_owned())
    }
}

async fn back(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let Some(place) = Place::of(cx, &input.asset, &input.stamp)? else {
        return Ok(values(json!({ "traffic": NOT_MOVED })));
    };
    let Some(former) = place.now(&place.kept).await? else {
        return Err(Failure::new(format!("{} is not there", escaped(&place.kept)))
            .means("there is no former file to put back: there was none, or it said the same")
            .next("write the file by hand if clients must go elsewhere")
            .into());
    };
    place.replace(&former).await?;
    place.reload().await?;
    Ok(values(json!({ "traffic": format!("{} is as it was before", escaped(&place.traffic.path)) })))
}
