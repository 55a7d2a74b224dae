//! `pg.recover`: starts the cluster beside the live one, cut off from everything, and watches it until it stands still at
//! the target.

use super::settings::{prepare, version};
use super::side::{SIDE, Side};
use crate::model::id::ServerId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::patience::Patience;
use crate::tasks::pg::pair::look::{BETWEEN, Lsn};
use crate::tasks::pg::target::{CLUSTER, SERVER};
use crate::tasks::reach::Reach;
use crate::tasks::wal::fetch::FETCHED;
use crate::tasks::wal::target::Target;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Instant;

pub struct Recover;

/// Note of the options that the recovery was started with.
const OPTIONS: &str = "options";

static SPEC: ModuleSpec = ModuleSpec {
    name: "pg.recover",
    summary: "Start the cluster beside the live one, let it replay the log to the target, and pause there",
    effect: Effect::Reversible,
    inputs: &[
        SERVER,
        SIDE,
        CLUSTER,
        InputSpec { name: "target", kind: InputKind::Text, required: true, help: "As wal.window resolved it" },
        InputSpec { name: "timeline", kind: InputKind::Integer, required: true, help: "Timeline to follow" },
        InputSpec { name: "start_lsn", kind: InputKind::Text, required: true, help: "Where the base backup began" },
        InputSpec { name: "within", kind: InputKind::Text, required: false, help: "How long to watch; default 24h" },
    ],
    outputs: &["position", "last_commit", "kept", "left_out"],
    idempotent: true,
    undo: "pg.side-clear stops and removes it",
    programs: &["ssh", "pg_ctl", "psql", "pg_controldata"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    side: String,
    system_identifier: String,
    target: String,
    timeline: u32,
    start_lsn: String,
    #[serde(default)]
    within: Option<String>,
}

#[async_trait::async_trait]
impl Module for Recover {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Folders { paths: &["side"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(recover(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let side = Side::of(cx, &input.server, &input.side)?;
            side.must_be_mine().await?;
            if !side.runs().await? {
                return Ok(Reality::NotDone("it does not run; it can be started again".to_owned()));
            }
            let version = version(&side).await?;
            Ok::<_, Stop>(match Sighting::of(&side, version).await? {
                Some(seen) if seen.paused => Reality::Done(judged(&side, &input, &seen).await?),
                _ => Reality::NotDone("it still recovers; a new attempt goes on watching it".to_owned()),
            })
        };
        looking.await.unwrap_or_else(Reality::from)
    }
}

/// What the recovering cluster says of itself.
struct Sighting {
    recovering: bool,
    paused: bool,
    replayed: Lsn,
    /// The last transaction that it applied: for people, and in microseconds.
    last: Option<(String, i64)>,
    system_identifier: String,
}

impl Sighting {
    /// `None` as long as it lets nobody in.
    async fn of(side: &Side<'_>, version: u32) -> Result<Option<Self>, Stop> {
        // Asked for and there are two things; before version 14 only the one can be told.
        let paused = match version {
            14.. => "pg_get_wal_replay_pause_state() = 'paused'",
            10.. => "pg_is_wal_replay_paused()",
            _ => "pg_is_xlog_replay_paused()",
        };
        let replayed = if version >= 10 { "pg_last_wal_replay_lsn()" } else { "pg_last_xlog_replay_location()" };
        let sql = format!(
            "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN {paused} ELSE false END, {replayed}, \
             pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', \
             (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint, system_identifier \
             FROM pg_control_system();"
        );
        let said = side.ask("postgres", &sql).await?;
        let text = said.text();
        let fields: Vec<&str> = text.trim_end_matches('\n').split('\t').collect();
        let [recovering, paused, replayed, at, micros, identifier] = fields[..] else { return Ok(None) };
        Ok((said.status == 0).then(|| Self {
            recovering: recovering == "t",
            paused: paused == "t",
            replayed: Lsn::parse(replayed).unwrap_or(Lsn(0)),
            last: micros.parse().ok().map(|micros| (format!("{at}+00"), micros)),
            system_identifier: identifier.to_owned(),
        }))
    }
}

async fn recover(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let side = Side::of(cx, &input.server, &input.side)?;
    side.must_be_mine().await?;
    let version = version(&side).await?;
    let target = Target::parse(&input.target, cx.estate.time_zone)?;
    let fetched: Value =
        side.noted(FETCHED).await?.and_then(|note| serde_json::from_str(&note).ok()).ok_or_else(|| {
            Failure::new("the log was not fetched to its end").next("run the step that fetches it first")
        })?;
    if !side.runs().await? {
        let options = prepare(&side, version, &exact(target, &fetched), input.timeline).await?;
        side.note(OPTIONS, &options).await?;
        side.begin(&options).await?;
    }
    watch(cx, &side, &input, version, &fetched).await
}

/// An instant as the last transaction that it keeps. A server told the instant reads on to the first transaction behind
/// it, and until it goes on holds every table that this one has locked: nobody could look into what was truncated or
/// dropped in the next moment, which is why one recovers.
fn exact(target: Target, fetched: &Value) -> Target {
    // The end of a prepared transaction is recorded under no number of its own.
    let kept = || fetched["kept"]["xid"].as_u64().and_then(|xid| u32::try_from(xid).ok()).filter(|xid| *xid > 2);
    match target {
        Target::Time(_) => kept().map_or(target, Target::Xid),
        other => other,
    }
}

/// Lets a recovery that was seen at its target, and died since, come there again.
pub(super) async fn taken_up(side: &Side<'_>) -> Result<(), Stop> {
    let cx = side.live.cx;
    let options = side.noted(OPTIONS).await?.ok_or_else(|| {
        Failure::new("the recovered cluster does not run, and how it was started is not known")
            .means("the live cluster was not touched")
            .next("abort with undo, and recover anew")
    })?;
    cx.feed.line("the recovered cluster died; starting it again");
    side.begin(&options).await?;
    let version = version(side).await?;
    let mut patience = Patience::new(cx, Some("24h"), BETWEEN)?;
    loop {
        match Sighting::of(side, version).await? {
            Some(seen) if seen.paused || !seen.recovering => return Ok(()),
            None if !side.runs().await? => return Err(ended(side).await?),
            _ => {}
        }
        if !patience.again("it replays the log anew").await? {
            return Err(Failure::new("the recovery did not reach its target again in time")
                .means("it still runs beside the live cluster, which was not touched")
                .next("retry to go on waiting for it, or abort with undo")
                .into());
        }
    }
}

async fn watch(
    cx: &TaskContext,
    side: &Side<'_>,
    input: &Input,
    version: u32,
    fetched: &Value,
) -> Result<Values, Stop> {
    let position = |text: Option<&str>| text.and_then(Lsn::parse).map_or(0, |lsn| lsn.0);
    let start = position(Some(&input.start_lsn));
    let total = position(fetched["end"].as_str()).saturating_sub(start);
    let mut patience = Patience::new(cx, input.within.as_deref().or(Some("24h")), BETWEEN)?;
    let mut began: Option<(Instant, u64)> = None;
    loop {
        let seen = Sighting::of(side, version).await?;
        let missing = match &seen {
            Some(seen) if seen.paused => return judged(side, input, seen).await,
            Some(seen) if !seen.recovering => {
                return Err(Failure::new("the recovered cluster left recovery by itself")
                    .means("it did not stop at the target; the live cluster was not touched")
                    .next("undo this step, and make a new plan")
                    .into());
            }
            Some(seen) => {
                let (since, from) = *began.get_or_insert((Instant::now(), seen.replayed.0));
                let rate = (seen.replayed.0 - from.min(seen.replayed.0)) / since.elapsed().as_secs().max(1);
                let done = seen.replayed.0.saturating_sub(start).min(total);
                let left = ByteCount(total - done);
                let at = seen.last.as_ref().map_or("no transaction yet", |(at, _)| at.as_str());
                let note = format!("replayed to {}, {at}; {left} left at {}/s", seen.replayed, ByteCount(rate));
                cx.feed.progress(Progress { done, total: Some(total), unit: Unit::Bytes, note: note.clone() });
                note
            }
            None if !side.runs().await? => return Err(ended(side).await?),
            None => "it is not consistent yet".to_owned(),
        };
        if !patience.again(&missing).await? {
            return Err(Failure::new(format!("the recovery did not reach its target in time: {missing}"))
                .means("it still runs beside the live cluster, which was not touched")
                .next("retry to go on watching it, or abort with undo")
                .into());
        }
    }
}

async fn ended(side: &Side<'_>) -> Result<Stop, Stop> {
    let words = side.last_words().await?;
    let telling = |line: &&String| ["FATAL", "PANIC", "ERROR"].iter().any(|word| line.contains(word));
    let why = words.iter().rev().find(telling).map_or("it gave no reason", String::as_str);
    let failure = Failure::new(format!("the recovery ended before its target: {}", escaped(why)))
        .means("the recovered cluster is not running; the live one was not touched")
        .next("read its last words below; abort with undo, or retry once the cause is mended");
    Ok(Stop::Failed(words.iter().rev().take(12).rev().cloned().fold(failure, Failure::evidence)))
}

/// Held against what the log itself said that recovery must keep.
async fn judged(side: &Side<'_>, input: &Input, seen: &Sighting) -> Result<Values, Stop> {
    let fetched: Value =
        side.noted(FETCHED).await?.and_then(|note| serde_json::from_str(&note).ok()).unwrap_or_default();
    if seen.system_identifier != input.system_identifier {
        return Err(Failure::new(format!("what answers is cluster {}", escaped(&seen.system_identifier))).into());
    }
    let kept = fetched["kept"]["micros"].as_i64();
    let last = seen.last.as_ref().map(|(_, micros)| *micros);
    if kept.is_some() && kept != last {
        return Err(Failure::new("the recovery stopped at another transaction than the log says")
            .means("it is not the state that was asked for; the live cluster was not touched")
            .next("abort with undo, and have this looked at before it is tried again")
            .evidence(format!("by the log the last one that is kept ended {}", fetched["kept"]["at"]))
            .evidence(format!("the cluster's last one ended {}", seen.last.as_ref().map_or("never", |(at, _)| at)))
            .into());
    }
    Ok(values(json!({
        "position": seen.replayed.to_string(),
        "last_commit": seen.last.as_ref().map(|(at, _)| at),
        "kept": fetched["kept"],
        "left_out": fetched["left_out"],
    })))
}
