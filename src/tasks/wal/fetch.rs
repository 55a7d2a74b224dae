//! `wal.fetch`: the segments that a recovery needs, checked record by record, as plain files beside the cluster that
//! recovers. It finds them there whoever watches, and whoever no longer does.

use super::archive::{self, Index, SEGMENT};
use super::chain::{Leg, on};
use super::stop::Stopping;
use super::target::Target;
use crate::model::id::{AssetId, ServerId};
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, Progress, TaskOutcome, Unit, Values};
use crate::model::text::escaped;
use crate::model::wal::Segment;
use crate::proof::forms::wal::Scanner;
use crate::tasks::context::TaskContext;
use crate::tasks::host::Command;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec, Reality};
use crate::tasks::outlet::{CUT, Outlet, pipe};
use crate::tasks::pg::pair::look::Lsn;
use crate::tasks::pg::recover::side::{SIDE, Side};
use crate::tasks::pg::target::{CLUSTER, SERVER};
use crate::tasks::reach::Reach;
use futures::{FutureExt, StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

pub struct Fetch;

static SPEC: ModuleSpec = ModuleSpec {
    name: "wal.fetch",
    summary: "Bring the log from the base backup to the target beside the cluster that recovers, checked record by record",
    effect: Effect::Reversible,
    inputs: &[
        SERVER,
        SIDE,
        CLUSTER,
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset whose archive is read" },
        InputSpec { name: "target", kind: InputKind::Text, required: true, help: "As wal.window resolved it" },
        InputSpec { name: "legs", kind: InputKind::List, required: true, help: "Timelines, as wal.window found them" },
        InputSpec { name: "first", kind: InputKind::Integer, required: true, help: "Number of the first segment" },
        InputSpec { name: "last", kind: InputKind::Integer, required: true, help: "Number of the last segment" },
        InputSpec { name: "stop_lsn", kind: InputKind::Text, required: true, help: "Where the base backup ended" },
    ],
    outputs: &["segments", "bytes", "kept", "left_out"],
    idempotent: true,
    undo: "pg.side-clear removes the copies; the archive is only read",
    programs: &["ssh", "tar"],
};

#[derive(Deserialize)]
struct Input {
    server: ServerId,
    side: String,
    system_identifier: String,
    asset: AssetId,
    target: String,
    legs: Vec<Leg>,
    first: u64,
    last: u64,
    stop_lsn: String,
}

/// The step has its own limit.
const FETCHING: Duration = Duration::from_hours(72);
const AT_ONCE: usize = 3;
/// Note about what was fetched, and where recovery must stop.
pub const FETCHED: &str = "fetched";

#[async_trait::async_trait]
impl Module for Fetch {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    fn reach(&self) -> Option<Reach> {
        Some(Reach::Folders { paths: &["side"] })
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(fetch(cx, input).await)
    }

    async fn reconcile(&self, cx: &TaskContext, input: &Values) -> Reality {
        let looking = async {
            let input: Input = read(input)?;
            let side = Side::of(cx, &input.server, &input.side)?;
            if side.is_mine().await? { side.noted(FETCHED).await } else { Ok(None) }
        };
        match looking.await {
            Ok(Some(note)) => Reality::Done(output(&note)),
            Ok(None) => Reality::NotDone("not all segments are there; a new attempt fetches them anew".to_owned()),
            Err(stop) => stop.into(),
        }
    }
}

fn output(note: &str) -> Values {
    values(serde_json::from_str(note).unwrap_or_default())
}

async fn fetch(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    if input.first > input.last {
        return Err(Failure::new("the plan names no segment of the log to fetch")
            .means("without any log the base backup cannot even become consistent; nothing was stopped")
            .next("make a new plan, whose look at the window names the segments")
            .into());
    }
    let side = Side::of(cx, &input.server, &input.side)?;
    side.must_be_mine().await?;
    if let Some(note) = side.noted(FETCHED).await? {
        return Ok(output(&note));
    }
    let folder = format!("{}/wal", side.aux);
    side.live.must("removing an unfinished copy of the log", &["rm", "-rf", "--", &folder]).await?;
    side.live.must("making a folder for the log", &["mkdir", "-m", "0700", "--", &folder]).await?;
    let bounds = input.first..=input.last;
    let wanted = |segment: &Segment| bounds.contains(&segment.number) && on(&input.legs, segment.number) == *segment;
    let index = archive::index(cx, &input.asset, wanted).await?;
    let (outlet, feed) = pipe();
    let tar = ["tar", "-x", "--no-same-owner", "-f", "-", "-C", &folder];
    let unpacking = side.live.run(Command::new(tar).feed(feed).within(FETCHING));
    let (read, unpacked) = tokio::join!(bring(cx, &input, &index, outlet), unpacking);
    let note = match (read, unpacked) {
        (Err(stop), _) if stop.what() != CUT => return Err(stop),
        (read, unpacked) => {
            unpacked?.success("writing the log", side.live.host)?;
            read?
        }
    };
    side.note(FETCHED, &note.to_string()).await?;
    Ok(values(note))
}

/// Reads segment after segment up to the one in which recovery will stop.
async fn bring(cx: &TaskContext, input: &Input, index: &Index, mut outlet: Outlet) -> Result<serde_json::Value, Stop> {
    let cluster = input.system_identifier.parse().map_err(|_| Failure::new("the cluster's identifier is no number"))?;
    let unread = || Failure::new(format!("`{}` is no log position", escaped(&input.stop_lsn)));
    let base_end = Lsn::parse(&input.stop_lsn).ok_or_else(unread)?;
    let target = Target::parse(&input.target, cx.estate.time_zone)?;
    for leg in input.legs.iter().skip(1) {
        let history = archive::history(cx, index, leg.timeline).await?;
        outlet.file(&format!("{:08X}.history", leg.timeline), history).await?;
    }
    let reading = |number: u64| {
        let at = on(&input.legs, number);
        async move { archive::segment(cx, index, at, Some(cluster)).await.map(|whole| (at, whole)) }.boxed()
    };
    let asked: Vec<u64> = (input.first..=input.last).collect();
    let mut segments = stream::iter(asked.into_iter().map(reading)).buffered(AT_ONCE);
    let mut stopping = Stopping::new(target, base_end.0);
    let mut scanner = Scanner::marking(stopping.position());
    let total = input.last - input.first + 1;
    let mut count = 0;
    while let Some(read) = segments.next().await {
        let (at, whole) = read?;
        let looked = tokio::task::spawn_blocking(move || {
            let looked = scanner.feed(at.number * SEGMENT, &whole.bytes, &mut |moment| stopping.see(moment));
            stopping.passed(scanner.marked());
            (scanner, stopping, whole.bytes, looked)
        });
        let looked = looked.await.map_err(|error| Failure::new(format!("the reading thread broke: {error}")))?;
        let (bytes, sound);
        (scanner, stopping, bytes, sound) = looked;
        sound.map_err(|damage| {
            Failure::new(format!("the log is damaged in segment {at}, {damage}"))
                .means("recovery would end there; nothing was stopped")
                .next("bring a good copy of the segment into a store, or choose an earlier point")
        })?;
        outlet.file(&at.to_string(), bytes).await?;
        count += 1;
        let note = format!("{at}: {}", stopping.words());
        cx.feed.progress(Progress { done: count * SEGMENT, total: Some(total * SEGMENT), unit: Unit::Bytes, note });
        if stopping.is_reached() {
            break;
        }
    }
    drop(segments);
    let told = stopping.verdict()?;
    outlet.end().await?;
    cx.feed.line(format!("{count} segments, {}; {}", ByteCount(count * SEGMENT), stopping.words()));
    Ok(json!({
        "segments": count, "bytes": count * SEGMENT, "end": Lsn((input.first + count) * SEGMENT).to_string(),
        "kept": told.0, "left_out": told.1,
    }))
}
