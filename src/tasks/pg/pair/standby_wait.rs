//! `pg.standby-wait`: waits until a server follows its primary and is close behind it.

use super::look::{BETWEEN, look, primary_of, standby_of};
use crate::model::id::ServerId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::Patience;
use crate::tasks::pg::connect;
use crate::tasks::pg::target::CLUSTER;
use serde::Deserialize;
use serde_json::json;

pub struct StandbyWait;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.standby-wait",
    summary: "Wait until a standby streams from its primary and is at most so many bytes behind",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "standby", kind: InputKind::Text, required: true, help: "The server that follows" },
        InputSpec { name: "primary", kind: InputKind::Text, required: true, help: "The server that it follows" },
        CLUSTER,
        InputSpec {
            name: "max_bytes",
            kind: InputKind::Integer,
            required: false,
            help: "Most log that may be missing; default 16 MiB",
        },
        InputSpec { name: "within", kind: InputKind::Text, required: false, help: "How long to wait; default 2m" },
    ],
    outputs: &["behind_bytes", "applied", "primary_at"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    standby: ServerId,
    primary: ServerId,
    system_identifier: String,
    #[serde(default)]
    max_bytes: Option<u64>,
    #[serde(default)]
    within: Option<String>,
}

const MAX_BYTES: u64 = 16 << 20;

#[async_trait::async_trait]
impl Module for StandbyWait {
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
    let most = input.max_bytes.unwrap_or(MAX_BYTES);
    let (primary, standby) = (connect::server(cx, &input.primary)?, connect::server(cx, &input.standby)?);
    loop {
        let ahead = primary_of(primary, look(cx, primary).await?, &input.system_identifier)?;
        let why = match standby_of(standby, look(cx, standby).await?, &input.system_identifier) {
            Ok(live) => {
                let behind = ahead.position.0.saturating_sub(live.position.0);
                let streaming = live.receiver.as_deref() == Some("streaming");
                if streaming && live.timeline == ahead.timeline && behind <= most {
                    return Ok(values(json!({
                        "behind_bytes": behind, "applied": live.position.to_string(),
                        "primary_at": ahead.position.to_string(),
                    })));
                }
                let line = live.receiver.as_deref().unwrap_or("no line to a primary");
                format!(
                    "its receiver: {line}; timeline {} of {}; {} behind",
                    live.timeline,
                    ahead.timeline,
                    ByteCount(behind)
                )
            }
            Err(failure) => failure.what,
        };
        let missing = format!("`{}` does not follow `{}`: {why}", standby.id, primary.id);
        if !patience.again(&missing).await? {
            return Err(Failure::new(missing)
                .means("it is no safe place to go to, and no copy to rely on")
                .next("look at its log: the login of its receiver, the primary's pg_hba.conf, and kept log")
                .into());
        }
    }
}
