//! `pg.unfence`: lets a fenced primary take writes again, as long as nobody took its place.

use super::home::Home;
use super::look::{look, primary_of, standby_of};
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::pg::connect;
use crate::tasks::pg::target::CLUSTER;
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Unfence;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.unfence",
    summary: "Start a fenced primary again, only while the other half is still a standby",
    effect: Effect::Irreversible,
    inputs: &[
        InputSpec { name: "server", kind: InputKind::Text, required: true, help: "The fenced server" },
        InputSpec {
            name: "standby",
            kind: InputKind::Text,
            required: true,
            help: "The other half; it must answer as a standby",
        },
        CLUSTER,
    ],
    outputs: &["writable"],
    idempotent: true,
    undo: "pg.fence stops it again",
    programs: &["ssh", "pg_ctl"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    standby: ServerId,
    system_identifier: String,
}

const START: Duration = Duration::from_mins(2);

#[async_trait::async_trait]
impl Module for Unfence {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Servers { names: &["server"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(unfence(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let look = async {
            let input: Input = read(input)?;
            let server = connect::server(cx, &input.server)?;
            let marked = Home::of(cx, server)?.is_marked().await?;
            let seen = look(cx, server).await?;
            Ok::<_, Stop>((primary_of(server, seen, &input.system_identifier).is_ok() && !marked, input.server))
        };
        match look.await {
            Ok((true, server)) => Reality::Done(values(json!({ "writable": server }))),
            Ok((false, _)) => Reality::NotDone("it does not answer as a primary".to_owned()),
            Err(stop) => stop.into(),
        }
    }
}

async fn unfence(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (server, other) = (connect::server(cx, &input.server)?, connect::server(cx, &input.standby)?);
    let home = Home::of(cx, server)?;
    standby_of(other, look(cx, other).await?, &input.system_identifier).map_err(|failure| {
        let what = format!("`{}` stays fenced: {}", server.id, failure.what);
        Failure::new(what)
            .means("while the other half is not known to be a standby, starting this one could make two primaries")
            .next("settle what the other half is; the runbook failback-postgres brings this one back")
    })?;
    home.unmark().await?;
    if let Some(unit) = home.unit()? {
        unit.unmask().await?;
    }
    if home.processes().await?.is_empty() {
        home.start(START).await?;
    }
    primary_of(server, look(cx, server).await?, &input.system_identifier)?;
    Ok(values(json!({ "writable": input.server })))
}
