//! `pg.swap-cluster-back`: the old data folder takes its name again and its cluster is started.

use super::side::{SIDE, Side};
use super::swap::{ASIDE, Input, Names, begin, described, exchange_back};
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec, Reality};
use crate::tasks::pg::pair::look::{Seen, look};
use crate::tasks::pg::target::{CLUSTER, SERVER};
use serde_json::json;

pub struct SwapClusterBack;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.swap-cluster-back",
    summary: "Put the old data folder back in the recovered one's place, and start it",
    effect: Effect::Irreversible,
    inputs: &[SERVER, SIDE, ASIDE, CLUSTER],
    outputs: &["server", "timeline"],
    idempotent: true,
    undo: "pg.swap-cluster exchanges the folders again; what was written in between is in the folder that is not live",
    programs: &["ssh", "pg_ctl", "mv"],
};

#[async_trait::async_trait]
impl Module for SwapClusterBack {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        let returning = async {
            let input: Input = read(input)?;
            let side = Side::of(cx, &input.server, &input.side)?;
            side.must_be_mine().await?;
            exchange_back(&side, &input).await?;
            let live = begin(cx, &side, &input).await?;
            Ok::<_, Stop>(values(json!({ "server": input.server, "timeline": live.timeline })))
        };
        settle(returning.await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let side = Side::of(cx, &input.server, &input.side)?;
            let names = Names::read(&side, &input.aside).await?;
            if names.aside || !names.data {
                return Ok(Reality::NotDone(described(names)));
            }
            Ok::<_, Stop>(match look(cx, side.server()).await? {
                Seen::Up(live) if live.system_identifier == input.system_identifier => {
                    Reality::Done(values(json!({ "server": input.server, "timeline": live.timeline })))
                }
                other => Reality::NotDone(format!("the old folder has its name, and the server {}", other.words())),
            })
        };
        looking.await.unwrap_or_else(Reality::from)
    }
}
