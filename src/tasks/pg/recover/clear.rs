//! `pg.side-clear`: stops the cluster that recovers beside the live one, and removes what this run made for it.

use super::side::{SIDE, Side};
use crate::model::id::ServerId;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::target::SERVER;
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;

pub struct SideClear;

pub(super) static INPUTS: &[InputSpec] = &[SERVER, SIDE];

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.side-clear",
    summary: "Stop the cluster that recovers beside the live one, and remove what this run made for it",
    effect: Effect::Reversible,
    inputs: INPUTS,
    outputs: &["removed"],
    idempotent: true,
    undo: "none; it can be unpacked and recovered again",
    programs: &["ssh", "pg_ctl", "rm"],
};

#[derive(Deserialize)]
pub(super) struct Input {
    pub server: ServerId,
    pub side: String,
}

#[async_trait::async_trait]
impl Module for SideClear {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Folders { paths: &["side"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        let clearing = async {
            let input: Input = read(input)?;
            Side::of(cx, &input.server, &input.side)?.clear().await?;
            Ok::<_, Stop>(values(json!({ "removed": input.side })))
        };
        settle(clearing.await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let side = Side::of(cx, &input.server, &input.side)?;
            Ok::<_, Stop>((side.left().await?.is_some(), input))
        };
        match looking.await {
            Ok((false, input)) => Reality::Done(values(json!({ "removed": input.side }))),
            Ok((true, _)) => Reality::NotDone("some of it is still there".to_owned()),
            Err(stop) => stop.into(),
        }
    }
}
