//! `redis.here-gone`: whether nothing is left of a trial on this machine.

use super::remove_side::Input;
use super::scratch::{Side, folder_id};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use serde_json::json;

pub struct HereGone;

static SPEC: ModuleSpec = ModuleSpec {
    name: "redis.here-gone",
    summary: "Look that nothing is left of a trial on this machine",
    effect: Effect::Observe,
    inputs: &[super::SERVER, super::SIDE],
    outputs: &["gone"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[async_trait::async_trait]
impl Module for HereGone {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        let look = async {
            let input: Input = read(input)?;
            let side = Side::at(cx, true, &input.server, &input.side)?;
            // Whatever works there has it as its working folder: with the folder gone it is gone, too.
            if folder_id(&side.home(), side.folder()).await?.is_none() {
                return Ok(values(json!({ "gone": true })));
            }
            Err(Failure::new(format!("still there: folder {}", escaped(side.folder())))
                .means("what this run made is not cleared")
                .next("remove it, then look again")
                .into())
        };
        settle(look.await)
    }
}
