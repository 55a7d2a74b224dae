//! `pg.answers`: how a server answers from here, as facts; silence is neither yes nor no.

use super::look::{Seen, look};
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::connect;
use serde::Deserialize;
use serde_json::json;

pub struct Answers;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.answers",
    summary: "Look once how a server answers from this machine: role, cluster, timeline, position",
    effect: Effect::Observe,
    inputs: &[InputSpec { name: "server", kind: InputKind::Text, required: true, help: "Server of the configuration" }],
    outputs: &["role", "system_identifier", "timeline", "position", "version"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
}

#[async_trait::async_trait]
impl Module for Answers {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(ask(cx, input).await)
    }
}

async fn ask(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let server = connect::server(cx, &input.server)?;
    match look(cx, server).await? {
        Seen::Up(live) => Ok(values(json!({
            "role": live.role(), "system_identifier": live.system_identifier, "timeline": live.timeline,
            "position": live.position.to_string(), "version": live.version,
        }))),
        // Its own machine says that nothing listens: that is an answer.
        Seen::Refused => Ok(values(json!({ "role": "none" }))),
        other => Err(Stop::Unknown(
            Failure::new(format!("server `{}` at {} {}", server.id, connect::address(server), other.words()))
                .means("its role is not known from here")
                .next("look at the server and the network between, then look again"),
        )),
    }
}
