//! The unbroken log behind one base backup: which timelines it runs over, and how far.

use crate::catalog::Position;
use crate::model::backup::{Backup, BackupKind};
use crate::model::id::AssetId;
use crate::model::wal::{LogTimeline, Segment, SegmentRange};
use crate::tasks::wal::archive::SEGMENT;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A stretch that is read from one timeline's segments, from `begin` until the next leg begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    pub timeline: u32,
    pub begin: u64,
}

/// A base backup with its place in the log.
#[derive(Clone, Debug)]
pub struct Base<'b> {
    pub backup: &'b Backup,
    pub timeline: u32,
    pub start: u64,
    pub stop: u64,
    pub own_log: bool,
    /// Of its manifest, where that says it (PostgreSQL 17 on).
    pub cluster: Option<u64>,
    /// Bytes of its files, where a manifest counts them.
    pub bytes: Option<u64>,
}

impl<'b> Base<'b> {
    /// `Err` says why it cannot be a base; `None`: it is no physical backup at all.
    fn of(backup: &'b Backup) -> Option<Result<Self, String>> {
        let place = Position::of(backup)?;
        if backup.complete == Some(false) {
            let why = backup.incomplete_because.first().map_or("it is incomplete", String::as_str);
            return Some(Err(why.to_owned()));
        }
        let (Some(timeline), Some(start), Some(stop)) = (place.timeline, place.start, place.stop) else {
            let why =
                "neither a backup_manifest nor a backup history file of the archive tells where it begins and ends";
            return Some(Err(why.to_owned()));
        };
        let (own_log, cluster, bytes) = (place.own_log, place.cluster, place.bytes);
        Some(Ok(Self { backup, timeline, start, stop, own_log, cluster, bytes }))
    }

    /// First segment that the archive must have for it.
    pub const fn needs(&self) -> u64 {
        if self.own_log { self.stop / SEGMENT } else { self.start / SEGMENT }
    }
}

/// Base backups of an asset that a server could be recovered from, the last ended first; and why others are none.
pub fn bases<'b>(backups: &'b [Backup], asset: &AssetId) -> (Vec<Base<'b>>, Vec<String>) {
    let (mut good, mut reasons) = (Vec::new(), Vec::new());
    for backup in backups.iter().filter(|backup| &backup.asset == asset && backup.kind != BackupKind::Log) {
        match Base::of(backup) {
            Some(Ok(base)) => good.push(base),
            Some(Err(why)) => reasons.push(format!("{}: {why}", backup.id)),
            None => {}
        }
    }
    good.sort_by_key(|base| std::cmp::Reverse((base.timeline, base.stop)));
    (good, reasons)
}

/// The log of one asset as all its stores together hold it.
#[derive(Debug, Default)]
pub struct Log {
    timelines: BTreeMap<u32, Strand>,
}

#[derive(Debug, Default)]
struct Strand {
    /// In order, joined.
    ranges: Vec<(u64, u64)>,
    /// Parent, and the segment in which it was left.
    fork: Option<(u32, u64)>,
}

impl Log {
    pub fn of<'l>(logs: impl IntoIterator<Item = &'l LogTimeline>) -> Self {
        let mut log = Self::default();
        for part in logs {
            let strand = log.timelines.entry(part.timeline).or_default();
            strand.ranges.extend(part.ranges.iter().map(|SegmentRange { first, last, .. }| (*first, *last)));
            strand.fork = strand.fork.or(part.fork.map(|fork| (fork.parent, fork.segment)));
        }
        for strand in log.timelines.values_mut() {
            strand.ranges.sort_unstable();
            let mut joined: Vec<(u64, u64)> = Vec::new();
            for (first, last) in strand.ranges.drain(..) {
                match joined.last_mut() {
                    Some(run) if first <= run.1 + 1 => run.1 = run.1.max(last),
                    _ => joined.push((first, last)),
                }
            }
            strand.ranges = joined;
        }
        log
    }

    /// The way from a base to a timeline; `None` where that timeline does not come out of it.
    pub fn way(&self, base: &Base<'_>, to: u32) -> Option<Vec<Leg>> {
        let mut legs = Vec::new();
        let mut at = to;
        while at != base.timeline {
            // A parent is always older: this comes to an end.
            let (parent, segment) = self.timelines.get(&at)?.fork.filter(|(parent, _)| *parent < at)?;
            if segment < base.stop / SEGMENT {
                return None;
            }
            legs.push(Leg { timeline: at, begin: segment });
            at = parent;
        }
        legs.push(Leg { timeline: base.timeline, begin: 0 });
        legs.reverse();
        Some(legs)
    }

    /// Timelines that come out of a base, the newest first.
    pub fn reachable(&self, base: &Base<'_>) -> Vec<u32> {
        let mut all: Vec<u32> = self.timelines.keys().copied().filter(|to| self.way(base, *to).is_some()).collect();
        all.reverse();
        all
    }

    /// The last segment that the unbroken log reaches from `first` on this way; `None` where it does not begin.
    pub fn reach(&self, legs: &[Leg], first: u64) -> Option<u64> {
        let mut next = first;
        loop {
            let segment = on(legs, next);
            let ranges = &self.timelines.get(&segment.timeline)?.ranges;
            let Some((_, end)) = ranges.iter().find(|(from, to)| (*from..=*to).contains(&next)) else { break };
            let until = legs.iter().map(|leg| leg.begin).find(|begin| *begin > next);
            next = until.map_or(*end, |begin| (*end).min(begin - 1)) + 1;
        }
        next.checked_sub(1).filter(|last| *last >= first)
    }
}

/// The segment with this number, of the timeline that it is read from on this way.
pub fn on(legs: &[Leg], number: u64) -> Segment {
    let leg = legs.iter().rev().find(|leg| leg.begin <= number).or(legs.first());
    Segment { timeline: leg.map_or(1, |leg| leg.timeline), number }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::wal::Fork;

    fn log(timeline: u32, ranges: &[(u64, u64)], fork: Option<(u32, u64)>) -> LogTimeline {
        let range = |(first, last): &(u64, u64)| SegmentRange {
            first: *first,
            last: *last,
            first_modified: None,
            last_modified: None,
        };
        LogTimeline {
            asset: "db".into(),
            store: "s".into(),
            timeline,
            ranges: ranges.iter().map(range).collect(),
            partial: None,
            history: fork.is_some(),
            fork: fork.map(|(parent, segment)| Fork { parent, segment }),
            labels: Vec::new(),
            bytes: 0,
        }
    }

    #[test]
    fn the_log_reaches_to_its_first_hole_and_over_promotions() {
        let parts = [
            log(1, &[(2, 5)], None),
            log(1, &[(6, 9), (11, 12)], None),
            log(2, &[(7, 20)], Some((1, 7))),
            log(3, &[(15, 16), (18, 18)], Some((2, 15))),
        ];
        let log = Log::of(&parts);
        let legs = |list: &[(u32, u64)]| -> Vec<Leg> {
            list.iter().map(|(timeline, begin)| Leg { timeline: *timeline, begin: *begin }).collect()
        };
        assert_eq!(log.reach(&legs(&[(1, 0)]), 2), Some(9), "stores complete each other, a hole ends it");
        assert_eq!(log.reach(&legs(&[(1, 0)]), 10), None);
        assert_eq!(log.reach(&legs(&[(1, 0), (2, 7)]), 3), Some(20));
        let over = legs(&[(1, 0), (2, 7), (3, 15)]);
        assert_eq!(log.reach(&over, 3), Some(16));
        assert_eq!([6, 7, 14, 15].map(|n| on(&over, n).timeline), [1, 2, 2, 3]);
    }
}
