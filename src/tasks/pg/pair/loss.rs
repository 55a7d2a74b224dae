//! `pg.loss`: what a promotion would lose: counted in the old primary's own log where that can be read, else
//! as a range.

use super::home::Home;
use super::look::{Live, Lsn, look, standby_of};
use crate::model::id::ServerId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::connect;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Loss;

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.loss",
    summary: "Estimate which transactions of a lost primary its standby does not have",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "primary", kind: InputKind::Text, required: true, help: "The lost server" },
        InputSpec { name: "standby", kind: InputKind::Text, required: true, help: "The server to promote" },
        InputSpec {
            name: "system_identifier",
            kind: InputKind::Text,
            required: true,
            help: "Their cluster, as planned",
        },
    ],
    outputs: &["estimate", "received", "last_commit", "commits_at_most", "bytes_at_most", "counted", "read_at"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &["ssh", "pg_waldump"],
};

#[derive(Deserialize)]
struct Input {
    primary: ServerId,
    standby: ServerId,
    system_identifier: String,
}

/// Reading the rest of a log takes its time.
const READING: Duration = Duration::from_mins(5);

#[async_trait::async_trait]
impl Module for Loss {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(estimate(cx, input).await)
    }
}

/// What lies in the primary's log behind a position.
struct Rest {
    commits: u64,
    end: Lsn,
}

async fn estimate(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (primary, standby) = (connect::server(cx, &input.primary)?, connect::server(cx, &input.standby)?);
    let live = standby_of(standby, look(cx, standby).await?, &input.system_identifier)?;
    // What was received and not yet applied is applied before the promotion ends.
    let has = live.received.unwrap_or(live.position).max(live.position);
    let now = cx.clock.now();
    let age = live.last_commit.map(|at| (now - at).num_seconds().max(0));
    let counted = async { rest(&Home::of(cx, primary)?, &input.system_identifier, &live, has).await }.await;
    let (text, commits, bytes, why) = match counted {
        Ok(rest) => {
            let bytes = rest.end.0.saturating_sub(has.0);
            let text = match rest.commits {
                0 => format!("nothing: no transaction was committed on `{}` after {has}", primary.id),
                n => format!("{n} transactions, {} of log that only `{}` has", ByteCount(bytes), primary.id),
            };
            (text, Some(rest.commits), Some(bytes), "counted in the lost primary's own log".to_owned())
        }
        Err(Stop::Failed(failure) | Stop::Unknown(failure)) => {
            let since = live.last_commit.map_or_else(
                || "an unknown instant".to_owned(),
                |at| format!("{} UTC, {} s ago", at.format("%Y-%m-%d %H:%M:%S"), age.unwrap_or_default()),
            );
            let text = format!("between nothing and everything that `{}` committed after {since}", primary.id);
            (text, None, None, format!("the lost primary's log could not be read: {}", failure.what))
        }
        Err(cancelled) => return Err(cancelled),
    };
    cx.feed.line(format!("would be lost: {text}"));
    cx.feed.line(format!("how that is known: {why}"));
    Ok(values(json!({
        "estimate": text,
        "received": has.to_string(),
        "last_commit": live.last_commit.map(|at| at.to_rfc3339()),
        "commits_at_most": commits,
        "bytes_at_most": bytes,
        "counted": why,
        "read_at": now.to_rfc3339(),
    })))
}

async fn rest(home: &Home<'_>, system_identifier: &str, live: &Live, has: Lsn) -> Result<Rest, Stop> {
    let control = home.control().await?;
    if control.system_identifier != system_identifier {
        return Err(Failure::new("its data folder holds another cluster").into());
    }
    if !home.processes().await?.is_empty() {
        return Err(Failure::new("it still runs, and may still write").into());
    }
    let (folder, start, timeline) = (home.file("pg_wal"), has.to_string(), live.timeline.to_string());
    let args = ["--path", &folder, "--start", &start, "--timeline", &timeline];
    let dumped = home.run(home.program("pg_waldump", &args).within(READING)).await?;
    let said = dumped.stderr.join(" ");
    if said.contains("could not find a valid record after") {
        return Ok(Rest { commits: 0, end: has });
    }
    let text = dumped.text();
    let records: Vec<&str> = text.lines().filter(|line| line.starts_with("rmgr:")).collect();
    // It always ends with a complaint: a log that was cut off has an end without a last word.
    let ended = [
        "invalid record length",
        "invalid magic number",
        "could not find file",
        "record with incorrect prev-link",
        "incorrect resource manager data checksum",
        "invalid resource manager ID",
        "there is no contrecord flag",
        "unexpected pageaddr",
    ];
    if !ended.iter().any(|end| said.contains(end))
        || records.is_empty() && dumped.status != 0 && !said.contains("invalid record length")
    {
        return Err(dumped
            .success("reading the log", home.host)
            .map_or_else(Stop::from, |_| Failure::new("the log goes on beyond what was read of it").into()));
    }
    let field =
        |line: &str, name: &str| line.split_once(name).and_then(|(_, rest)| Lsn::parse(rest.split(',').next()?));
    let commits = records.iter().filter(|line| line.contains("desc: COMMIT")).count() as u64;
    let end = records.last().and_then(|line| field(line, "lsn: ")).unwrap_or(has);
    Ok(Rest { commits, end: end.max(has) })
}
