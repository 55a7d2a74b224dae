//! `pg.half`: the live identity of one half of a pair, in facts that change only when it really changes.

use super::home::Home;
use super::look::{Seen, look};
use crate::model::id::ServerId;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::connect::{self, address};
use crate::tasks::pg::target::SERVER;
use serde::Deserialize;
use serde_json::json;

pub struct Half;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.half",
    summary: "Read the live identity of one server of a pair, where it answers; never fails for silence",
    effect: Effect::Observe,
    inputs: &[
        SERVER,
        InputSpec {
            name: "folder",
            kind: InputKind::Flag,
            required: false,
            help: "By its data folder, read on its host, in place of its role: for a server that the run itself stops",
        },
        InputSpec {
            name: "scratch",
            kind: InputKind::Flag,
            required: false,
            help: "By its place alone: for a server that the drill itself makes",
        },
    ],
    outputs: &["title", "facts"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    #[serde(default)]
    folder: bool,
    #[serde(default)]
    scratch: bool,
}

#[async_trait::async_trait]
impl Module for Half {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(identify(cx, input).await)
    }
}

async fn identify(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let server = connect::server(cx, &input.server)?;
    let home = server.home.as_ref().map(|home| format!("{} on host {}", home.data_dir, home.host));
    let mut facts = vec![("server", server.id.as_str().to_owned()), ("address", address(server))];
    facts.push(("data folder", home.unwrap_or_else(|| "not configured".to_owned())));
    if input.scratch {
        facts.push(("purpose", "made for this drill".to_owned()));
        let title = format!("server {} at {}, made for this drill", server.id, address(server));
        return Ok(values(json!({ "title": title, "facts": facts })));
    }
    if input.folder {
        let home = Home::of(cx, server)?;
        // Damage may have taken the control file, too; that the folder is exchanged is no less right then.
        let cluster = match home.control().await {
            Ok(control) => control.system_identifier,
            Err(Stop::Failed(_)) => "unknown: its control file cannot be read".to_owned(),
            Err(stop) => return Err(stop),
        };
        facts.push(("cluster in it", cluster));
        return Ok(values(json!({ "title": format!("the data folder of server {}", server.id), "facts": facts })));
    }
    match look(cx, server).await? {
        Seen::Up(live) => {
            facts.extend([("cluster", live.system_identifier.clone()), ("role", live.role().to_owned())]);
            // A standby without a line to its primary tells only the timeline of its last checkpoint, which may
            // be behind the one that it replays: it would seem to change with the line.
            if !live.standby {
                facts.push(("timeline", live.timeline.to_string()));
            }
            facts.push(("version", live.version));
        }
        // The words of a silence vary from look to look; that it is one does not.
        Seen::Refused => facts.push(("role", "unknown: it refuses connections".to_owned())),
        Seen::Closed(_) => facts.push(("role", "unknown: it listens and lets nobody in".to_owned())),
        Seen::Silent(_) => facts.push(("role", "unknown: it gives no answer".to_owned())),
    }
    Ok(values(json!({ "title": format!("server {} at {}", server.id, address(server)), "facts": facts })))
}
