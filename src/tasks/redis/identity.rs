//! `redis.identity`: what a live server and its data folder are right now.

use super::look::{Seen, look};
use super::scratch::folder_id;
use super::wire;
use crate::model::id::ServerId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{Module, ModuleSpec};
use crate::tasks::pg::connect::address;
use crate::tasks::pg::pair::home::Home;
use serde::Deserialize;
use serde_json::json;

pub struct Identity;

static SPEC: ModuleSpec = ModuleSpec {
    name: "redis.identity",
    summary: "Read the live identity of a Redis server: role, run id, version, data folder",
    effect: Effect::Observe,
    inputs: &[super::SERVER],
    outputs: &["title", "facts", "shown"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
}

#[async_trait::async_trait]
impl Module for Identity {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(identify(cx, input).await)
    }
}

async fn identify(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let server = wire::server(cx, &input.server)?;
    let home = Home::of(cx, server)?;
    let folder = &home.place.data_dir;
    let inode = folder_id(&home, folder).await?.unwrap_or("no folder".to_owned());
    let mut facts = vec![
        ("server", server.id.to_string()),
        ("address", address(server)),
        ("folder", escaped(folder).into_owned()),
        ("inode", inode),
    ];
    let mut shown = Vec::new();
    match look(cx, server).await? {
        Seen::Up(info) => {
            let field = |name: &str| escaped(info.get(name)).into_owned();
            facts.extend([("role", field("role")), ("run id", field("run_id")), ("version", field("redis_version"))]);
            shown.extend([
                ("keys", info.total().keys.to_string()),
                ("memory", ByteCount(info.number("used_memory").unwrap_or(0)).to_string()),
                ("clients", field("connected_clients")),
            ]);
        }
        other => facts.push(("role", other.words())),
    }
    let title = format!("Redis `{}` on {}", server.id, address(server));
    Ok(values(json!({ "title": title, "facts": facts, "shown": shown })))
}
