//! `wal.window`: the base backup and the unbroken log by which one point in time can be reached, or the nearest ones.

use super::archive::{self, SEGMENT};
use super::chain::{Base, Leg, Log, bases, on};
use super::sight::{End, Sight};
use super::target::{Target, instant};
use crate::model::estate::AssetKind;
use crate::model::id::AssetId;
use crate::model::size::ByteCount;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::model::wal::Segment;
use crate::tasks::context::TaskContext;
use crate::tasks::input::{Stop, read, settle, values};
use crate::tasks::module::{InputKind, InputSpec, Module, ModuleSpec};
use crate::tasks::pg::pair::look::Lsn;
use serde::Deserialize;
use serde_json::json;

pub struct Window;

static SPEC: ModuleSpec = ModuleSpec {
    name: "wal.window",
    summary: "Find the base backup and the unbroken log that lead to one point in time",
    effect: Effect::Observe,
    inputs: &[
        InputSpec { name: "asset", kind: InputKind::Text, required: true, help: "Asset of kind postgresql" },
        InputSpec {
            name: "target",
            kind: InputKind::Text,
            required: true,
            help: "An instant with its zone, `lsn:…`, `xid:…`, `name:…` or `latest`",
        },
        InputSpec {
            name: "base",
            kind: InputKind::Text,
            required: false,
            help: "Base backup; without it the last that ended before the target",
        },
        InputSpec {
            name: "timeline",
            kind: InputKind::Text,
            required: false,
            help: "Timeline to follow; without it the newest that comes out of the base",
        },
    ],
    outputs: &[
        "base",
        "timeline",
        "legs",
        "first",
        "last",
        "segments",
        "log_bytes",
        "log_size",
        "base_bytes",
        "system_identifier",
        "version",
        "start_lsn",
        "stop_lsn",
        "target",
        "target_title",
        "earliest",
        "latest",
        "warnings",
    ],
    idempotent: true,
    undo: "nothing to take back",
    programs: &[],
};

#[derive(Deserialize)]
struct Input {
    asset: AssetId,
    target: String,
    #[serde(default)]
    base: Option<String>,
    #[serde(default)]
    timeline: Option<String>,
}

#[async_trait::async_trait]
impl Module for Window {
    fn spec(&self) -> &'static ModuleSpec {
        &SPEC
    }

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome {
        settle(window(cx, input).await)
    }
}

/// A base with its log, as the catalog knows them.
pub struct Candidate<'b> {
    pub base: Base<'b>,
    pub legs: Vec<Leg>,
    pub last: u64,
}

impl Candidate<'_> {
    pub fn end(&self) -> Segment {
        on(&self.legs, self.last)
    }

    fn timeline(&self) -> u32 {
        self.legs.last().map_or(self.base.timeline, |leg| leg.timeline)
    }
}

async fn window(cx: &TaskContext, input: &Values) -> Result<Values, Stop> {
    let input: Input = read(input)?;
    if cx.estate.asset(&input.asset).is_none_or(|asset| asset.kind != AssetKind::PostgreSql) {
        return Err(Failure::new(format!("there is no asset `{}` of kind postgresql", input.asset)).into());
    }
    let target = Target::parse(&input.target, cx.estate.time_zone)?;
    let catalog = std::sync::Arc::clone(&cx.catalog);
    let (mut all, mut reasons) = bases(&catalog.backups, &input.asset);
    if let Some(wanted) = input.base.as_deref().map(str::trim).filter(|base| !base.is_empty() && *base != "auto") {
        let chosen = catalog.choose_for(&input.asset, wanted).map_err(|error| Failure::new(error.to_string()))?;
        all.retain(|base| base.backup.id == chosen.id);
        if all.is_empty() && !reasons.iter().any(|why| why.starts_with(chosen.id.as_str())) {
            reasons.push(format!("{} is no physical base backup; a dump cannot be rolled forward", chosen.id));
        }
    }
    let log = Log::of(catalog.logs.iter().filter(|log| log.asset == input.asset));
    let mut candidates = Vec::new();
    for base in all {
        match follow(&log, base, input.timeline.as_deref())? {
            Ok(candidate) => candidates.push(candidate),
            Err(why) => reasons.push(why),
        }
    }
    if candidates.is_empty() {
        return Err(no_base(&input.asset, reasons).into());
    }
    let whole = matches!(target, Target::Xid(_) | Target::Name(_));
    let wanted = |segment: &Segment| {
        candidates.iter().any(|one| {
            let near = |at: u64| segment.number + Sight::BACK > at && segment.number <= at;
            on(&one.legs, segment.number) == *segment
                && (near(one.base.stop / SEGMENT) || near(one.last) || (whole && segment.number <= one.last))
        })
    };
    let index = archive::index(cx, &input.asset, wanted).await?;
    let mut sight = Sight::new(cx, &index);
    choose(&mut sight, &candidates, &target, reasons).await
}

/// The way on which a base's log is followed, and how far it goes.
fn follow<'b>(log: &Log, base: Base<'b>, timeline: Option<&str>) -> Result<Result<Candidate<'b>, String>, Failure> {
    let id = &base.backup.id;
    let to = match timeline.map(str::trim).filter(|text| !text.is_empty() && *text != "latest") {
        Some(text) => {
            let unread = |_| Failure::new(format!("`{}` is no timeline", escaped(text))).next("write its number");
            Some(text.parse::<u32>().map_err(unread)?)
        }
        None => log.reachable(&base).first().copied(),
    };
    let Some(legs) = to.and_then(|to| log.way(&base, to)) else {
        return Ok(Err(format!("{id}: no archived log of its timeline {} leads on from it", base.timeline)));
    };
    let Some(last) = log.reach(&legs, base.needs()) else {
        let missing = on(&legs, base.needs());
        return Ok(Err(format!("{id}: segment {missing}, from which on it needs the log, is not in the archive")));
    };
    if last < base.stop / SEGMENT {
        let missing = on(&legs, last + 1);
        return Ok(Err(format!("{id}: segment {missing} is missing before the backup's own end")));
    }
    Ok(Ok(Candidate { base, legs, last }))
}

fn no_base(asset: &AssetId, reasons: Vec<String>) -> Failure {
    let failure = Failure::new(format!("no base backup of `{asset}` can be rolled forward"))
        .means("a point in time needs a physical base backup and the log archived since; nothing was stopped")
        .next("restore a dump instead (restore-postgres), or bring a base backup and its log into a store, and scan");
    reasons.into_iter().take(8).fold(failure, Failure::evidence)
}

/// What the looks at the candidates told about instants around the target.
#[derive(Default)]
struct Around {
    /// The last point before the target that can be reached, and how it is written.
    before: Option<(Timestamp, Lsn)>,
    after: Option<Timestamp>,
    reasons: Vec<String>,
}

async fn choose(
    sight: &mut Sight<'_>,
    candidates: &[Candidate<'_>],
    target: &Target,
    reasons: Vec<String>,
) -> Result<Values, Stop> {
    let mut around = Around { reasons, ..Around::default() };
    for candidate in candidates {
        let id = &candidate.base.backup.id;
        let from = sight.consistent(candidate).await?;
        if let Target::Time(at) = target
            && *at < from
        {
            around.after = Some(around.after.map_or(from, |after| after.min(from)));
            around.reasons.push(format!("{id} ended only at {}", instant(from)));
            continue;
        }
        if let Target::Lsn(lsn) = target
            && lsn.0 < candidate.base.stop
        {
            around.reasons.push(format!("{id} ended only at {}", Lsn(candidate.base.stop)));
            continue;
        }
        let end = sight.end(candidate).await?;
        let fits = match target {
            Target::Time(at) => *at < end.at,
            Target::Lsn(lsn) => *lsn <= end.lsn,
            Target::Latest => true,
            Target::Xid(_) | Target::Name(_) => sight.holds(candidate, target).await?,
        };
        if fits {
            return Ok(output(candidate, target, from, &end));
        }
        let missing = on(&candidate.legs, candidate.last + 1);
        let told = format!("the log behind {id} ends with the commit of {}; {missing} is not there", instant(end.at));
        around.reasons.push(told);
        if around.before.is_none_or(|(at, _)| at < end.at) {
            around.before = Some((end.at, end.lsn));
        }
    }
    Err(outside(target, around).into())
}

fn outside(target: &Target, around: Around) -> Failure {
    let mut nearest = Vec::new();
    if let Some((at, lsn)) = around.before {
        nearest.push(format!("lsn:{lsn}, which keeps everything up to the commit of {}", instant(at)));
    }
    if let Some(at) = around.after {
        nearest.push(format!("{}, where the next base backup had ended", instant(at)));
    }
    let next = if nearest.is_empty() {
        "choose another point; `relight window` shows the stretches".to_owned()
    } else {
        format!("the nearest that can be reached: {}", nearest.join("; or "))
    };
    let failure = Failure::new(format!("{target} cannot be reached"))
        .means("no base backup with an unbroken log leads there; nothing was stopped or changed")
        .next(next);
    around.reasons.into_iter().take(8).fold(failure, Failure::evidence)
}

fn output(candidate: &Candidate<'_>, target: &Target, from: Timestamp, end: &End) -> Values {
    let Candidate { base, legs, last } = candidate;
    let first = base.needs();
    let target = match target {
        // What is the end now is the end for the whole run.
        Target::Latest => Target::Lsn(end.lsn),
        other => other.clone(),
    };
    let segments = last - first + 1;
    let mut warnings = Vec::new();
    if let Some(cluster) = base.cluster.filter(|cluster| *cluster != end.cluster) {
        warnings.push(format!("the backup's manifest is of cluster {cluster}, the log of {}", end.cluster));
    }
    values(json!({
        "base": base.backup.id,
        "timeline": candidate.timeline(),
        "legs": legs,
        "first": first,
        "last": last,
        "segments": segments,
        "log_bytes": segments * SEGMENT,
        "base_bytes": base.bytes.unwrap_or(base.backup.size_bytes),
        "system_identifier": end.cluster.to_string(),
        "version": end.version,
        "start_lsn": Lsn(base.start).to_string(),
        "stop_lsn": Lsn(base.stop).to_string(),
        "target": target.to_string(),
        "target_title": title(&target, end),
        "earliest": instant(from),
        "latest": instant(end.at),
        "log_size": ByteCount(segments * SEGMENT).to_string(),
        "warnings": warnings,
    }))
}

fn title(target: &Target, end: &End) -> String {
    match target {
        Target::Time(at) => format!("everything committed by {}", instant(*at)),
        Target::Lsn(lsn) if *lsn == end.lsn => format!("the end of the archived log at {lsn} ({})", instant(end.at)),
        Target::Lsn(lsn) => format!("log position {lsn}"),
        Target::Xid(xid) => format!("transaction {xid}, which is kept"),
        Target::Name(name) => format!("restore point `{}`", escaped(name)),
        Target::Latest => "the end of the archived log".to_owned(),
    }
}
