//! `redis.save`: the live server writes its snapshot, and is seen to have written it.

use super::look::{BETWEEN, Info, Seen, info as ask_info, look};
use super::wire::{self, Session};
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::patience::Patience;
use serde::Deserialize;
use serde_json::json;

pub struct Save;

static SPEC: ModuleSpec = ModuleSpec {
    name: "redis.save",
    summary: "Let the live Redis write its snapshot to its own disk, and wait until it has",
    effect: Effect::Costly,
    inputs: &[
        super::SERVER,
        InputSpec { name: "within", kind: InputKind::Text, required: false, help: "Time that it may take; default 2h" },
    ],
    outputs: &["saved", "keys"],
    idempotent: true,
    undo: "none: a newer snapshot takes the place of an older one on the server's own disk",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    #[serde(default)]
    within: Option<String>,
}

#[async_trait::async_trait]
impl Module for Save {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(save(cx, input).await)
    }

    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("a snapshot is written anew, after one that is being written".to_owned())
    }
}

async fn save(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let server = wire::server(cx, &input.server)?;
    match look(cx, server).await? {
        Seen::Up(_) => {}
        Seen::Refused => {
            cx.feed.line("the server is down: its folder holds what it holds");
            return Ok(values(json!({ "saved": false, "keys": null })));
        }
        other => return Err(Stop::Unknown(Failure::new(format!("server `{}` {}", server.id, other.words())))),
    }
    let mut session = Session::open(cx, server).await?;
    let mut patience = Patience::new(cx, Some(input.within.as_deref().unwrap_or("2h")), BETWEEN)?;
    // One that someone else began is waited for: its end says nothing about what came after its beginning.
    let before = until(&mut session, &mut patience, "an earlier save still runs", |info| !is_busy(info)).await?;
    let last = before.number("rdb_last_save_time").unwrap_or(0);
    // Times are whole seconds: a save in the second of the one before could not be told from it.
    until(&mut session, &mut patience, "waiting for the next second", |info| {
        info.number("server_time_usec").is_none_or(|now| now / 1_000_000 > last)
    })
    .await?;
    session.ask(&["BGSAVE"]).await?;
    let after = until(&mut session, &mut patience, "the snapshot is being written", |info| {
        !is_busy(info)
            && (info.get("rdb_last_bgsave_status") != "ok" || info.number("rdb_last_save_time").unwrap_or(0) > last)
    })
    .await?;
    if after.get("rdb_last_bgsave_status") != "ok" {
        return Err(Failure::new(format!("server `{}` could not write its snapshot", server.id))
            .means("what it holds in memory is not on its disk; it goes on as before")
            .next("look at its log (room on its disk, memory for the copy), then retry")
            .into());
    }
    Ok(values(json!({ "saved": true, "keys": after.total().keys })))
}

fn is_busy(info: &Info) -> bool {
    info.is_on("rdb_bgsave_in_progress") || info.is_on("aof_rewrite_in_progress") || info.is_on("loading")
}

async fn until(
    session: &mut Session,
    patience: &mut Patience<'_>,
    missing: &str,
    there: impl Fn(&Info) -> bool,
) -> Result<Info, Stop> {
    loop {
        let info = ask_info(session).await?;
        if there(&info) {
            return Ok(info);
        }
        if !patience.again(missing).await? {
            let what = format!("{missing}, after {}", humantime::format_duration(patience.within()));
            return Err(Stop::Unknown(
                Failure::new(what).means("whether it will end well is not known").next("look again"),
            ));
        }
    }
}
