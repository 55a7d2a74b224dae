//! `pg.promote`: makes a standby the primary, and waits until it is one.

use super::look::{BETWEEN, Live, Seen, look, of_cluster};
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::patience::Patience;
use crate::tasks::pg::connect::{self, Session};
use crate::tasks::pg::target::CLUSTER;
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;

pub struct Promote;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.promote",
    summary: "Promote a standby, and wait until it takes writes",
    effect: Effect::Irreversible,
    inputs: &[
        InputSpec { name: "server", kind: InputKind::Text, required: true, help: "The standby" },
        InputSpec {
            name: "old",
            kind: InputKind::Text,
            required: true,
            help: "The primary until now; refused while it answers as one",
        },
        CLUSTER,
        InputSpec {
            name: "proofs",
            kind: InputKind::Table,
            required: false,
            help: "Proofs of earlier steps; a fence receipt must be that of `old`",
        },
        InputSpec { name: "within", kind: InputKind::Text, required: false, help: "How long to wait; default 2m" },
    ],
    outputs: &["primary", "timeline", "position"],
    idempotent: true,
    undo: "there is none: a promoted server has a history of its own; failback-postgres changes the roles again",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    old: ServerId,
    system_identifier: String,
    #[serde(default)]
    within: Option<String>,
    #[serde(default)]
    proofs: Values,
}

#[async_trait::async_trait]
impl Module for Promote {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Servers { names: &["server"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(promote(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let server = connect::server(cx, &input.server)?;
            let live = of_cluster(server, look(cx, server).await?, &input.system_identifier)?;
            Ok::<_, Stop>((live, input.server))
        };
        match looking.await {
            Ok((live, server)) if !live.standby => Reality::Done(output(&server, &live)),
            Ok(_) => Reality::NotDone("it is still a standby; promoting it again does no harm".to_owned()),
            Err(stop) => stop.into(),
        }
    }
}

fn output(server: &ServerId, live: &Live) -> Values {
    values(json!({ "primary": server, "timeline": live.timeline, "position": live.position.to_string() }))
}

async fn promote(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let mut patience = Patience::new(cx, input.within.as_deref(), BETWEEN)?;
    let (server, old) = (connect::server(cx, &input.server)?, connect::server(cx, &input.old)?);
    fits(&input)?;
    let live = of_cluster(server, look(cx, server).await?, &input.system_identifier)?;
    if !live.standby {
        cx.feed.line(format!("`{}` is the primary already", server.id));
        return Ok(output(&input.server, &live));
    }
    if let Seen::Up(rival) = look(cx, old).await?
        && !rival.standby
    {
        return Err(Failure::new(format!("`{}` still answers as a primary", old.id))
            .means("with a second one, both would take writes and neither would have all; nothing was done")
            .next("fence it first")
            .into());
    }
    let session = Session::open(cx, server, &server.maintenance_db).await?;
    session.change(&format!("promoting `{}`", server.id), "SELECT pg_promote(false)").await?;
    loop {
        let how = match of_cluster(server, look(cx, server).await?, &input.system_identifier) {
            Ok(live) if !live.standby => return Ok(output(&input.server, &live)),
            Ok(_) => format!("`{}` is still a standby", server.id),
            Err(failure) => failure.what,
        };
        if !patience.again(&how).await? {
            return Err(Stop::Unknown(
                Failure::new(format!("the promotion was ordered, and {how}"))
                    .means("it may still take place")
                    .next("look again; promoting it once more does no harm"),
            ));
        }
    }
}

/// A receipt that another server was fenced says nothing of this one's rival.
fn fits(input: &Input) -> Result<(), Failure> {
    let Some(receipt) = input.proofs.get("fence-receipt") else { return Ok(()) };
    let says = |name: &str| receipt.get(name).and_then(serde_json::Value::as_str);
    if says("server") == Some(input.old.as_str()) && says("system_identifier") == Some(&input.system_identifier) {
        return Ok(());
    }
    Err(Failure::new(format!("the fence receipt is not that of `{}`", input.old))
        .means("it proves nothing of the server that must not take writes; nothing was done")
        .next("look at the runbook: the fence and the promotion must name the same pair"))
}
