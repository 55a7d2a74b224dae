//! `pg.primary-down`: asks several times and from several places whether a primary still answers. Silence is
//! told as silence.

use super::home::{Home, listed};
use super::look::{Seen, look};
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::pause;
use crate::tasks::pg::connect;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct PrimaryDown;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.primary-down",
    summary: "Ask three times, from here, from its host and from its standby, whether a primary answers",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "primary", kind: InputKind::Text, required: true, help: "The server that is believed lost" },
        InputSpec { name: "standby", kind: InputKind::Text, required: true, help: "The server that followed it" },
    ],
    outputs: &["from_here", "from_its_host", "from_its_standby", "not_known"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh"],
};

#[derive(Deserialize)]
struct Input {
    primary: ServerId,
    standby: ServerId,
}

const TIMES: usize = 3;
const BETWEEN: Duration = Duration::from_secs(2);

#[async_trait::async_trait]
impl Module for PrimaryDown {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(ask(cx, input).await)
    }
}

async fn ask(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (primary, standby) = (connect::server(cx, &input.primary)?, connect::server(cx, &input.standby)?);
    let mut unknown = Vec::new();
    let mut seen = look(cx, primary).await?;
    for time in 1..=TIMES {
        cx.feed.line(format!("look {time} of {TIMES}: `{}` {}", primary.id, seen.words()));
        if let Seen::Up(live) = &seen {
            return Err(Failure::new(format!("`{}` answers as {}", primary.id, live.role()))
                .means("it is not lost; a failover would throw away what only it has")
                .next("use switchover-postgres, which loses nothing; skip this only if it must go all the same")
                .into());
        }
        if time < TIMES {
            pause(cx, BETWEEN).await?;
            seen = look(cx, primary).await?;
        }
    }
    if matches!(seen, Seen::Silent(_)) {
        unknown.push("whether it is dead, paused, or only cut off from here while others still write to it".to_owned());
    }
    let host = match at_home(cx, &input.primary).await {
        Ok(text) => text,
        Err(Stop::Failed(failure) | Stop::Unknown(failure)) => {
            unknown.push("whether its process runs: its host gave no answer".to_owned());
            format!("no answer: {}", failure.what)
        }
        Err(cancelled) => return Err(cancelled),
    };
    let follower = match look(cx, standby).await? {
        Seen::Up(live) => match live.receiver {
            Some(state) => {
                unknown.push("why its standby still has a line to it".to_owned());
                format!("its line to the primary is `{}`", escaped(&state))
            }
            None => "it has no line to the primary".to_owned(),
        },
        other => format!("the standby itself {}", other.words()),
    };
    for line in &unknown {
        cx.feed.line(format!("not known: {line}"));
    }
    Ok(values(json!({
        "from_here": format!("{TIMES} looks, the last: {}", seen.words()),
        "from_its_host": host,
        "from_its_standby": follower,
        "not_known": unknown,
    })))
}

async fn at_home(cx: &TaskContext, id: &ServerId) -> Result<String, Stop> {
    let home = Home::of(cx, connect::server(cx, id)?)?;
    let processes = home.processes().await?;
    Ok(if processes.is_empty() {
        "no process of it runs".to_owned()
    } else {
        format!("it runs: {}", listed(&processes))
    })
}
