//! `wal.reaches`: waits until the archive has the log up to a new base backup's end, and tells what can be reached with it.

use super::archive::SEGMENT;
use super::chain::{Base, Log, bases, on};
use super::target::instant;
use crate::catalog::{Catalog, Position};
use crate::model::backup::BackupKind;
use crate::model::id::{AssetId, StoreId};
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::time::Timestamp;
use crate::model::wal::Segment;
use crate::tasks::backup::place::{PLACES, Place};
use crate::tasks::backup::rescan::rescan;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle_or_stop, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::patience::Patience;
use crate::tasks::pg::base::archiver::Archiver;
use crate::tasks::pg::pair::look::Lsn;
use crate::tasks::pg::target::{CLUSTER, SERVER, Target};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

pub struct Reaches;

static SPEC: ModuleSpec = ModuleSpec {
    name: "wal.reaches",
    summary: "Wait until the archive has the log up to the end of a new base backup, and tell what can be reached now",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset that it is a backup of" },
        PLACES,
        SERVER,
        CLUSTER,
        InputSpec { name: "within", kind: InputKind::Text, required: false, help: "Longest wait; default 10m" },
        InputSpec {
            name: "own_log",
            kind: InputKind::Flag,
            required: false,
            help: "The backup's own log is enough: a log that does not arrive is told and does not fail; default false",
        },
    ],
    outputs: &["stop_lsn", "archived_to", "earliest", "latest", "title"],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    places: Vec<Place>,
    #[serde(flatten)]
    target: Target,
    #[serde(default)]
    within: Option<String>,
    #[serde(default)]
    own_log: bool,
}

const WITHIN: &str = "10m";
const BEAT: Duration = Duration::from_secs(2);

#[async_trait::async_trait]
impl Module for Reaches {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle_or_stop(cx, reaches(cx, input)).await
    }
}

async fn reaches(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    let within = input.within.as_deref().filter(|text| !text.is_empty()).unwrap_or(WITHIN);
    let mut patience = Patience::new(cx, Some(within), BEAT)?;
    let sources = cx.estate.asset(&input.asset).map(|asset| asset.sources.as_slice()).unwrap_or_default();
    let archives: BTreeSet<&StoreId> =
        sources.iter().filter(|source| source.kind == BackupKind::Log).map(|source| &source.store).collect();
    let stores: BTreeSet<&StoreId> = archives.iter().copied().chain(input.places.iter().map(|p| &p.store)).collect();
    let (session, _) = input.target.open(cx).await?;
    let before = Archiver::of(&session).await?;
    loop {
        let catalog = rescan(cx, &stores, "whether the log is in the archive is not known").await?;
        let base = found(&catalog, &input)?;
        if archives.is_empty() {
            return Ok(told(cx, &catalog, &input.asset, &base, None));
        }
        let missing = match arrived(&catalog, &input.asset, &base) {
            Ok(last) => return Ok(told(cx, &catalog, &input.asset, &base, Some(&last))),
            Err(missing) => missing,
        };
        let archiver = Archiver::of(&session).await?;
        let waiting = format!("waiting for segment {missing} ({})", archiver.title());
        // Who takes the backup although the archive fails does not wait for it.
        let hopeless = archiver.gave_up(&before) || (input.own_log && archiver.trouble().is_some());
        if !hopeless && patience.again(&waiting).await? {
            continue;
        }
        if !input.own_log {
            return Err(absent(&missing, &archiver).into());
        }
        cx.feed.line(format!("segment {missing} did not arrive in the archive: {}", archiver.title()));
        return Ok(told(cx, &catalog, &input.asset, &base, None));
    }
}

/// The new backup as the catalog has it by now.
fn found<'c>(catalog: &'c Catalog, input: &Input) -> Result<Base<'c>, Failure> {
    let (all, reasons) = bases(&catalog.backups, &input.asset);
    let here = |base: &Base<'_>| {
        let lies = |place: &Place| base.backup.copies.iter().any(|c| c.store == place.store && c.path == place.path);
        input.places.iter().any(lies)
    };
    all.into_iter().find(here).ok_or_else(|| {
        let failure = Failure::new("the catalog does not show the new backup as a base that can be rolled forward")
            .means("recovery to a point in time would not find it")
            .next("see why below; make the backup again if it is incomplete");
        reasons.into_iter().take(4).fold(failure, Failure::evidence)
    })
}

/// The last segment of the unbroken log behind the base; or the first that is missing.
fn arrived(catalog: &Catalog, asset: &AssetId, base: &Base<'_>) -> Result<String, String> {
    let log = Log::of(catalog.logs.iter().filter(|log| log.asset == *asset));
    let first = Segment { timeline: base.timeline, number: base.needs() }.to_string();
    let end = base.stop.saturating_sub(1) / SEGMENT;
    let legs = log.reachable(base).first().and_then(|newest| log.way(base, *newest)).ok_or_else(|| first.clone())?;
    match log.reach(&legs, base.needs().min(end)) {
        Some(last) if last >= end => Ok(on(&legs, last).to_string()),
        Some(last) => Err(on(&legs, last + 1).to_string()),
        None => Err(first),
    }
}

fn told(cx: &TaskContext, catalog: &Catalog, asset: &AssetId, base: &Base<'_>, last: Option<&str>) -> Values {
    let ended = Position::of(base.backup).and_then(|position| position.ended_at);
    let ended: Timestamp = ended.unwrap_or(base.backup.taken_at);
    let spans = catalog.windows.iter().filter(|window| window.asset == *asset).flat_map(|window| &window.spans);
    let latest = spans.filter(|(from, to)| *from <= ended && ended <= *to).map(|(_, to)| *to).max();
    let title = match (last, latest) {
        (None, _) => format!("{} can be restored to its own end, {}", base.backup.id, instant(ended)),
        (Some(last), None) => format!(
            "the log goes on from {} to segment {last}; later instants open with the next segment that arrives",
            base.backup.id
        ),
        (Some(last), Some(to)) => {
            format!("from {} every instant to {} can be reached (segment {last})", instant(ended), instant(to))
        }
    };
    cx.feed.line(title.clone());
    values(json!({
        "stop_lsn": Lsn(base.stop).to_string(), "archived_to": last, "earliest": instant(ended),
        "latest": latest.map(instant), "title": title,
    }))
}

fn absent(missing: &str, archiver: &Archiver) -> Failure {
    Failure::new(format!("segment {missing} of the log is not in the archive"))
        .means("the new backup is whole and can be restored to its own end; no later point can be reached with it")
        .next("mend the archiving, and look again: nothing has to be backed up anew")
        .evidence(archiver.title())
}
