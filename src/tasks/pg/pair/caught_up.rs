//! `pg.caught-up`: proves that a standby has everything that a cleanly stopped primary ever wrote.

use super::home::Home;
use super::look::{BETWEEN, look, standby_of};
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::Patience;
use crate::tasks::pg::connect;
use crate::tasks::pg::target::CLUSTER;
use serde::Deserialize;
use serde_json::json;

pub struct CaughtUp;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.caught-up",
    summary: "Wait until a standby has applied the last record of a cleanly stopped primary",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "primary", kind: InputKind::Text, required: true, help: "The stopped server" },
        InputSpec { name: "standby", kind: InputKind::Text, required: true, help: "The server that follows it" },
        CLUSTER,
        InputSpec { name: "within", kind: InputKind::Text, required: false, help: "How long to wait; default 2m" },
    ],
    outputs: &["demoted_at", "applied", "proofs"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "pg_controldata"],
};

#[derive(Deserialize)]
struct Input {
    primary: ServerId,
    standby: ServerId,
    system_identifier: String,
    #[serde(default)]
    within: Option<String>,
}

#[async_trait::async_trait]
impl Module for CaughtUp {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(wait(cx, input).await)
    }
}

async fn wait(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let mut patience = Patience::new(cx, input.within.as_deref(), BETWEEN)?;
    let (primary, standby) = (connect::server(cx, &input.primary)?, connect::server(cx, &input.standby)?);
    let home = Home::of(cx, primary)?;
    let receipt = home.prove_fenced(&input.system_identifier).await?;
    let control = home.control().await?;
    if !matches!(control.state.as_str(), "shut down" | "shut down in recovery") {
        return Err(Failure::new(format!("`{}` was not shut down cleanly: `{}`", primary.id, control.state))
            .means("its last record cannot be told from its control file, so nobody can prove that nothing is lost")
            .next("take this step back to start it again, or use the runbook failover-postgres")
            .into());
    }
    loop {
        let live = standby_of(standby, look(cx, standby).await?, &input.system_identifier)?;
        // The record at the checkpoint's position is the shutdown itself; whoever is past it has applied it.
        if live.position > control.checkpoint {
            let (demoted_at, applied) = (control.checkpoint.to_string(), live.position.to_string());
            return Ok(values(json!({
                "demoted_at": demoted_at,
                "applied": applied,
                "proofs": { "demotion-position": {
                    "primary": input.primary, "standby": input.standby, "shutdown_record": demoted_at,
                    "standby_applied": applied, "timeline": control.timeline, "fence": receipt,
                    "lost": "nothing: the standby applied the record of the shutdown itself",
                } },
            })));
        }
        let missing = format!(
            "`{}` applied up to {}, and `{}` stopped at {}",
            standby.id, live.position, primary.id, control.checkpoint
        );
        if !patience.again(&missing).await? {
            return Err(Failure::new(missing)
                .means("promoting it now would lose what lies between")
                .next("retry if it moves; otherwise take the fence back, which starts the primary again")
                .into());
        }
    }
}
