//! `pg.remove-made`: removes every database that carries this run's mark as its maker, under any name.

use super::database;
use super::made_gone::Input;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::target::{CLUSTER, SERVER};
use crate::tasks::production;
use crate::tasks::reach::Reach;
use serde_json::json;

pub struct RemoveMade;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.remove-made",
    summary: "Remove the databases that this run made, whatever they are called by now",
    effect: Effect::Reversible,
    inputs: &[
        SERVER,
        CLUSTER,
        InputSpec { name: "side", kind: InputKind::Text, required: true, help: "Name that the database was given" },
    ],
    outputs: &["removed"],
    idempotent: true,
    undo: "none; they can be made again from the same backup",
    programs: &[],
};

#[async_trait::async_trait]
impl Module for RemoveMade {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Databases { server: "server", names: &["side"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(remove(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let (session, _) = input.target.open(cx).await?;
            Ok::<_, Stop>(database::made_by(&session, &cx.owner.run).await?.len())
        };
        match look.await {
            Ok(0) => Reality::Done(values(json!({ "removed": [] }))),
            Ok(left) => Reality::NotDone(format!("{left} databases of this run are still there")),
            Err(stop) => stop.into(),
        }
    }
}

async fn remove(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (session, server) = input.target.open(cx).await?;
    let mut removed = Vec::new();
    for made in database::made_by(&session, &cx.owner.run).await? {
        // Someone may have given it a live name since.
        production::database(cx, server, &made.name).await?;
        database::remove(&session, &made).await?;
        removed.push(made.name);
    }
    Ok(values(json!({ "removed": removed })))
}
