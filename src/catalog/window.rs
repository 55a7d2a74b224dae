//! The instants to which an asset can be restored, and no instant that only may be.

use super::position::lsn_of;
use super::snapshot::{Hole, RecoveryWindow};
use super::wal::RangeSet;
use crate::model::backup::{Backup, BackupKind};
use crate::model::estate::Estate;
use crate::model::id::AssetId;
use crate::model::time::Timestamp;
use crate::model::wal::{Fork, LogTimeline, Segment, SegmentRange};
use std::collections::BTreeMap;

/// Label that tells what a folder backup is made of: `pg_basebackup`, `wal`.
pub(super) const LAYOUT: &str = "layout";
/// Label of a base backup that carries the log from its start to its end.
pub(super) const OWN_LOG: &str = "own-log";

/// Facts of sidecars that place a base backup in the log.
pub(super) const START_TIMELINE: &str = "start_timeline";
pub(super) const START_LSN: &str = "start_lsn";
pub(super) const STOP_LSN: &str = "stop_lsn";
pub(super) const STOP_TIME: &str = "stop_time";

pub(super) fn of_all(estate: &Estate, backups: &[Backup], logs: &[LogTimeline]) -> Vec<RecoveryWindow> {
    estate.assets.iter().filter_map(|asset| of(&asset.id, backups, logs)).collect()
}

fn of(asset: &AssetId, backups: &[Backup], logs: &[LogTimeline]) -> Option<RecoveryWindow> {
    let usable = |b: &&Backup| &b.asset == asset && b.complete != Some(false) && b.kind != BackupKind::Log;
    let timelines = union(logs.iter().filter(|l| &l.asset == asset));
    let mut points = Vec::new();
    let mut spans = Vec::new();
    for backup in backups.iter().filter(usable) {
        match backup.labels.get(LAYOUT).map(String::as_str) {
            Some("wal") => {}
            Some("pg_basebackup") => {
                let base = Base::of(backup);
                if base.own_log {
                    points.extend(base.ended_at);
                }
                spans.extend(timelines.keys().filter_map(|timeline| base.reach(*timeline, &timelines)));
            }
            _ if backup.chain.as_ref().is_some_and(|link| link.base.is_none()) => {}
            _ => points.push(backup.taken_at),
        }
    }
    points.sort_unstable();
    points.dedup();
    let spans = merged(spans);
    let ends = || points.iter().copied().chain(spans.iter().flat_map(|(from, to)| [*from, *to]));
    let (earliest, latest) = (ends().min(), ends().max());
    let holes = holes(&timelines, &spans, earliest);
    (earliest.is_some() || !holes.is_empty()).then_some(RecoveryWindow {
        asset: asset.clone(),
        earliest,
        latest,
        points,
        spans,
        holes,
    })
}

/// One timeline of an asset's log, as all stores together hold it.
#[derive(Debug)]
struct Strand {
    ranges: Vec<SegmentRange>,
    fork: Option<Fork>,
}

type Strands = BTreeMap<u32, Strand>;

/// Segments of one timeline lie in any store: what one lacks another may have.
fn union<'l>(logs: impl Iterator<Item = &'l LogTimeline>) -> Strands {
    let mut sets: BTreeMap<u32, (RangeSet, Option<Fork>)> = BTreeMap::new();
    for log in logs {
        let (set, fork) = sets.entry(log.timeline).or_default();
        log.ranges.iter().for_each(|range| set.insert_range(*range));
        *fork = fork.or(log.fork);
    }
    let strand = |(set, fork): (RangeSet, Option<Fork>)| Strand { ranges: set.into_ranges(), fork };
    sets.into_iter().map(|(timeline, parts)| (timeline, strand(parts))).collect()
}

/// The latest instant that the log reaches beyond `range` of `timeline` by going over to the timelines that
/// branched off from it, as a server does that recovers to the latest one. `past` is the last segment that
/// the base itself needs: a timeline that branched off before it is not its own.
fn beyond(timeline: u32, range: &SegmentRange, past: Option<u64>, strands: &Strands) -> Option<Timestamp> {
    let children = strands.iter().filter_map(|(child, strand)| {
        let fork = strand.fork.filter(|fork| fork.parent == timeline)?;
        // The parent's last segment may never have been filled; the child's first one begins with its bytes.
        let connected = range.first <= fork.segment && fork.segment <= range.last.saturating_add(1);
        let own = match past {
            Some(past) => past <= fork.segment,
            None => range.last <= fork.segment,
        };
        let next = strand.ranges.iter().find(|r| r.first <= fork.segment && fork.segment <= r.last)?;
        (connected && own).then_some((*child, next))
    });
    // A child is younger than its parent by number, so this comes to an end.
    children.filter_map(|(child, next)| beyond(child, next, past, strands).max(next.last_modified)).max()
}

/// A physical base backup's place in the log, as far as anything tells.
struct Base {
    started_at: Timestamp,
    /// When it was consistent: from its label, else when its last byte was stored, which is later.
    ended_at: Option<Timestamp>,
    timeline: Option<u32>,
    start: Option<u64>,
    stop: Option<u64>,
    own_log: bool,
}

impl Base {
    fn of(backup: &Backup) -> Self {
        let fact = |name: &str| backup.sidecars.iter().flat_map(|s| &s.facts).find(|(n, _)| n == name).map(|(_, v)| v);
        let stop_time = fact(STOP_TIME).and_then(|t| chrono::DateTime::parse_from_rfc3339(t).ok()).map(|t| t.to_utc());
        let stored = backup.copies.iter().filter_map(|c| c.modified_at).min().filter(|at| *at >= backup.taken_at);
        Self {
            started_at: backup.taken_at,
            ended_at: stop_time.or(stored),
            timeline: fact(START_TIMELINE).and_then(|t| t.parse().ok()),
            start: fact(START_LSN).and_then(|lsn| segment_of(lsn)),
            stop: fact(STOP_LSN).and_then(|lsn| segment_of(lsn)),
            own_log: backup.labels.contains_key(OWN_LOG),
        }
    }

    /// The stretch that this base and the unbroken log of `timeline` reach, over promotions too.
    fn reach(&self, timeline: u32, strands: &Strands) -> Option<(Timestamp, Timestamp)> {
        if self.timeline.is_some_and(|own| own != timeline) {
            return None;
        }
        let from = self.ended_at?;
        let needed = if self.own_log { self.stop.or(self.start) } else { self.start };
        // Where only times tell, the log must have been running since before the backup began.
        let since = if self.own_log { from } else { self.started_at };
        let range = strands.get(&timeline)?.ranges.iter().find(|r| match needed {
            Some(first) => r.first <= first && first <= r.last,
            None => r.first_modified.is_some_and(|t| t <= since) && r.last_modified.is_some_and(|t| t >= since),
        })?;
        if !self.own_log && self.stop.is_some_and(|stop| stop > range.last) {
            return None;
        }
        let to = range.last_modified.max(beyond(timeline, range, self.stop.or(self.start), strands))?;
        (to >= from).then_some((from, to))
    }
}

/// The segment that holds a log position written `16/B374D848`.
pub(super) fn segment_of(lsn: &str) -> Option<u64> {
    // 16 MiB to a segment.
    Some(lsn_of(lsn)? >> 24)
}

fn merged(mut spans: Vec<(Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    spans.sort_unstable();
    let mut out: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, to) in spans {
        match out.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

/// Missing segments that cost recovery points: not those from before the first base.
fn holes(timelines: &Strands, spans: &[(Timestamp, Timestamp)], earliest: Option<Timestamp>) -> Vec<Hole> {
    let mut holes = Vec::new();
    for (timeline, Strand { ranges, .. }) in timelines {
        let end_of_log = ranges.last().and_then(|r| r.last_modified);
        for pair in ranges.windows(2) {
            let (first, last) = (pair[0].last + 1, pair[1].first - 1);
            let after = pair[1].first_modified;
            if let (Some(after), Some(earliest)) = (after, earliest)
                && after < earliest
            {
                continue;
            }
            let from = pair[0].last_modified;
            let again = from.and_then(|from| spans.iter().map(|(start, _)| *start).find(|start| *start >= from));
            let name = |number| Segment { timeline: *timeline, number }.to_string();
            holes.push(Hole {
                timeline: *timeline,
                first: name(first),
                last: name(last),
                segments: last - first + 1,
                from,
                to: again.or(end_of_log).or(after),
            });
        }
    }
    holes
}
