//! `pg.fence`: stops a server through its own host, keeps it from coming back as a primary, and proves both.

use super::home::{Home, listed};
use super::look::{Seen, look};
use crate::model::id::ServerId;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::patience::span;
use crate::tasks::pg::connect;
use crate::tasks::reach::Reach;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Fence;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.fence",
    summary: "Stop a server so that it cannot take writes nor come back as a primary, and prove it",
    effect: Effect::Fence,
    inputs: &[
        InputSpec { name: "server", kind: InputKind::Text, required: true, help: "Server to stop" },
        InputSpec { name: "system_identifier", kind: InputKind::Text, required: true, help: "Its cluster, as planned" },
        InputSpec {
            name: "clean",
            kind: InputKind::Flag,
            required: false,
            help: "Only an orderly shutdown will do: without it, a server that does not stop in time is stopped at once",
        },
        InputSpec {
            name: "within",
            kind: InputKind::Text,
            required: false,
            help: "Time for the orderly shutdown; default 60s",
        },
    ],
    outputs: &["fenced", "proofs"],
    idempotent: true,
    undo: "pg.unfence starts it again as a primary, unless the other half was promoted",
    programs: &["ssh", "pg_ctl", "pg_controldata"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    system_identifier: String,
    #[serde(default)]
    clean: bool,
    #[serde(default)]
    within: Option<String>,
}

const AT_ONCE: Duration = Duration::from_secs(20);

#[async_trait::async_trait]
impl Module for Fence {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Servers { names: &["server"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(fence(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        reality(cx, input).await.unwrap_or_else(Reality::from)
    }
}

async fn fence(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let within = span(Some(input.within.as_deref().unwrap_or("60s")))?;
    let server = connect::server(cx, &input.server)?;
    let home = Home::of(cx, server).map_err(unreached)?;
    // Until the host answered once, nothing can be said of the server: a fence that could not be tried is
    // not a failed fence, and above all not a fence.
    let control = home.control().await.map_err(|stop| match stop {
        Stop::Failed(failure) => unreached(failure),
        stop => stop,
    })?;
    if control.system_identifier != input.system_identifier {
        let what = format!(
            "the data folder on host `{}` holds cluster {}, not {}",
            home.host.id, control.system_identifier, input.system_identifier
        );
        return Err(Failure::new(what)
            .means("this is not the planned server; nothing was done")
            .next("mend [servers.home] of this server")
            .into());
    }
    let processes = home.processes().await?;
    if let Some(paused) = processes.iter().find(|process| process.is_paused()) {
        return Err(Stop::Unknown(
            Failure::new(format!("server `{}` is paused, not stopped: {paused}", server.id))
                .means(
                    "it obeys no order to stop, and takes writes again the moment someone lets it go on; not known: \
                     whether and when that happens, and what its clients still hold",
                )
                .next("end it on its host, or let it go on and stop it; then look again"),
        ));
    }
    // The mark first: whatever restarts servers on that host must find it in place.
    home.mark().await?;
    if let Some(unit) = home.unit()? {
        unit.mask().await?;
        cx.feed.line(format!("masked {}", unit.title()));
        // One that waits to be started again has no process, and is no fence.
        if processes.is_empty() && !unit.look().await?.is_still() {
            unit.stop(within).await?;
        }
    }
    if !processes.is_empty() {
        cx.feed.line(format!("stopping `{}`: {}", server.id, listed(&processes)));
        let left = home.end("fast", within).await?;
        if !input.clean && !left.is_empty() {
            cx.feed.line(format!("`{}` did not stop in time; it is stopped at once now", server.id));
            home.end("immediate", AT_ONCE).await?;
        }
    }
    receipt(&home, &input.system_identifier).await
}

async fn receipt(home: &Home<'_>, system_identifier: &str) -> Result<Values, Stop> {
    let receipt = home.prove_fenced(system_identifier).await?;
    Ok(values(json!({
        "fenced": format!("`{}` is stopped, and would come back only as a standby", home.server.id),
        "proofs": { "fence-receipt": receipt },
    })))
}

fn unreached(failure: Failure) -> Stop {
    let what = format!("the server could not be fenced, nor seen from its host: {}", failure.what);
    let unknown = Failure::new(what)
        .means("not known: whether it runs, and whether someone else can reach it and write to it")
        .next("reach its host or cut off its power or network by other means, then look again");
    Stop::Unknown(failure.evidence.into_iter().fold(unknown, Failure::evidence))
}

async fn reality(cx: &TaskContext, input: &Values) -> Result<Reality, Stop> {
    let input: Input = read(input)?;
    let server = connect::server(cx, &input.server)?;
    let home = Home::of(cx, server)?;
    let unproven = match receipt(&home, &input.system_identifier).await {
        Ok(output) => return Ok(Reality::Done(output)),
        Err(Stop::Unknown(failure)) => failure,
        Err(stop) => return Err(stop),
    };
    match (look(cx, server).await?, home.is_marked().await?) {
        (Seen::Up(_), false) => Ok(Reality::NotDone("it runs and answers as before".to_owned())),
        (Seen::Up(_), true) => Ok(Reality::Partial(
            "it runs and takes writes, and would come back as a standby after a restart".to_owned(),
        )),
        // Stopped, and only the mark is missing: doing it again puts it there.
        _ if home.processes().await?.is_empty() => Ok(Reality::NotDone(unproven.what)),
        _ => Ok(Reality::Unknown(unproven)),
    }
}
