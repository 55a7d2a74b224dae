//! `pg.loss`: what a promotion would lose: counted in the old primary's own log where that can be read, else
//! as a range.

use super::home::Home;
use super::look::{Live, Lsn, look, standby_of};
use crate::model::id::ServerId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::time::Timestamp;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::connect;
use crate::tasks::pg::target::CLUSTER;
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
        CLUSTER,
    ],
    outputs: &[
        "estimate",
        "received",
        "last_commit",
        "commits_at_most",
        "bytes_at_most",
        "seconds_at_most",
        "phrase",
        "counted",
        "read_at",
    ],
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
/// No file of a log is smaller, in bytes.
const SMALLEST_FILE: u64 = 1 << 20;

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
    /// When the last of them was committed.
    last: Option<Timestamp>,
}

async fn estimate(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let (primary, standby) = (connect::server(cx, &input.primary)?, connect::server(cx, &input.standby)?);
    let live = standby_of(standby, look(cx, standby).await?, &input.system_identifier)?;
    // What was received and not yet applied is applied before the promotion ends.
    let has = live.received.unwrap_or(live.position).max(live.position);
    let now = cx.clock.now();
    let age = live.last_commit.map(|at| (now - at).num_seconds().max(0).unsigned_abs());
    let counted = async { rest(&Home::of(cx, primary)?, &input.system_identifier, &live, has).await }.await;
    let (text, commits, bytes, seconds, why) = match counted {
        Ok(rest) => {
            let bytes = rest.end.0.saturating_sub(has.0);
            let span = |last: Timestamp| {
                Some((last - live.last_commit?).num_milliseconds().max(0).unsigned_abs().div_ceil(1000))
            };
            let seconds = if rest.commits == 0 { Some(0) } else { rest.last.and_then(span).or(age) };
            let lasted = seconds.map_or_else(String::new, |seconds| format!(", the last {seconds} s of commits"));
            let text = match rest.commits {
                0 => format!("nothing: no transaction was committed on `{}` after {has}", primary.id),
                n => {
                    let bytes = ByteCount(bytes);
                    format!("at most {n} transactions, {bytes} of log that only `{}` has{lasted}", primary.id)
                }
            };
            (text, Some(rest.commits), Some(bytes), seconds, "counted in the lost primary's own log".to_owned())
        }
        Err(Stop::Failed(failure) | Stop::Unknown(failure)) => {
            let since = live.last_commit.map_or_else(
                || "an unknown instant".to_owned(),
                |at| format!("{} UTC, {} s ago", at.format("%Y-%m-%d %H:%M:%S"), age.unwrap_or_default()),
            );
            let text = format!("between nothing and everything that `{}` committed after {since}", primary.id);
            (text, None, None, age, format!("the lost primary's log could not be read: {}", failure.what))
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
        "seconds_at_most": seconds,
        "phrase": phrase(commits, live.last_commit),
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
    // It ends with an error wherever the log does.
    let mut dump = home.program("pg_waldump", &args).within(READING).quiet();
    // It tells when a transaction was committed in the zone of its host.
    dump.argv.insert(1, "TZ=UTC".to_owned());
    let dumped = home.run(dump).await?;
    let said = dumped.stderr.join(" ");
    if said.contains("could not find a valid record after") {
        return Ok(Rest { commits: 0, end: has, last: None });
    }
    if has.0.is_multiple_of(SMALLEST_FILE) && ends_before(home, &folder, &said).await? {
        return Ok(Rest { commits: 0, end: has, last: None });
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
    let committed = || records.iter().filter(|line| line.contains("desc: COMMIT"));
    let commits = committed().count() as u64;
    let last = committed().next_back().and_then(|line| committed_at(line));
    let end = records.last().and_then(|line| field(line, "lsn: ")).unwrap_or(has);
    Ok(Rest { commits, end: end.max(has), last })
}

/// What an operator types to accept it, where something is lost.
fn phrase(commits: Option<u64>, last: Option<Timestamp>) -> String {
    match (commits, last) {
        (Some(0), _) => String::new(),
        (Some(commits), _) => format!("lose {commits} commits"),
        (None, Some(last)) => format!("lose all since {}", last.format("%Y-%m-%d %H:%M:%S")),
        (None, None) => "lose an unknown amount".to_owned(),
    }
}

/// Whether the file that could not be found would have been the next: a log that has just gone over to a new file,
/// and wrote nothing to it, does not have that file yet. One that is missing in the middle is another matter.
async fn ends_before(home: &Home<'_>, folder: &str, said: &str) -> Result<bool, Stop> {
    let Some((_, rest)) = said.split_once("could not find file \"") else { return Ok(false) };
    let next = rest.split('"').next().unwrap_or_default();
    let is_log = |name: &str| name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_log(next) {
        return Ok(false);
    }
    let listed = home.must("listing the log", &["ls", "-1", "--", folder]).await?.text();
    let own: Vec<&str> = listed.lines().filter(|name| is_log(name) && name[..8] == next[..8]).collect();
    Ok(!own.is_empty() && own.iter().all(|name| *name < next))
}

/// The instant in `desc: COMMIT 2026-11-20 02:00:00.123456 UTC; …`.
fn committed_at(line: &str) -> Option<Timestamp> {
    let (_, told) = line.split_once("desc: COMMIT ")?;
    let told = told.split_once(" UTC")?.0;
    chrono::NaiveDateTime::parse_from_str(told, "%Y-%m-%d %H:%M:%S%.f").ok().map(|at| at.and_utc())
}
