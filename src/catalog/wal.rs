//! Write-ahead log archives: a million segment names become a few ranges per timeline.

use super::timeline::HistoryFile;
use crate::model::id::{AssetId, StoreId};
use crate::model::time::Timestamp;
use crate::model::wal::{LogTimeline, Segment, SegmentRange};
use crate::stores::ObjectMeta;
use std::collections::{BTreeMap, BTreeSet};

/// What a file of a log archive is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalName {
    Segment(Segment),
    /// A segment that was never filled: usable only as the very last of its timeline.
    Partial(Segment),
    /// The history file of a timeline.
    History(u32),
    /// A backup history file; the segment is the one in which the backup started.
    Label(Segment),
}

const SUFFIXES: [&str; 15] = [
    ".gz", ".zst", ".zstd", ".lz4", ".bz2", ".xz", ".lzma", ".br", ".snappy", ".lzo", ".z", ".gpg", ".pgp", ".age",
    ".enc",
];

impl WalName {
    /// Reads the last part of an object's name, with any compression suffix and with the checksum that
    /// pgBackRest appends; `None` for everything else.
    pub fn parse(name: &str) -> Option<Self> {
        if name.len() > 128 || !name.is_ascii() {
            return None;
        }
        let (stem, partial) = stem(name);
        if let Some(label) = stem.strip_suffix(".backup") {
            let (segment, offset) = label.split_once('.')?;
            let hex = offset.len() == 8 && offset.bytes().all(|b| b.is_ascii_hexdigit());
            return if hex { Segment::parse(segment).map(WalName::Label) } else { None };
        }
        if let Some(timeline) = stem.strip_suffix(".history") {
            let id = (timeline.len() == 8).then(|| u32::from_str_radix(timeline, 16).ok())??;
            return (id > 0).then_some(WalName::History(id));
        }
        let segment = match stem.split_once('-') {
            Some((name, sum)) if sum.len() == 40 && sum.bytes().all(|b| b.is_ascii_hexdigit()) => name,
            Some(_) => return None,
            None => stem,
        };
        let segment = Segment::parse(segment)?;
        Some(if partial { WalName::Partial(segment) } else { WalName::Segment(segment) })
    }
}

fn stem(name: &str) -> (&str, bool) {
    let (mut stem, mut partial) = (name, false);
    loop {
        if let Some(shorter) = stem.strip_suffix(".partial") {
            (stem, partial) = (shorter, true);
        } else if let Some(shorter) = SUFFIXES.iter().find_map(|s| stem.strip_suffix(s)) {
            stem = shorter;
        } else {
            return (stem, partial);
        }
    }
}

/// Backup history files kept for reading, per timeline.
const LABEL_FILES: usize = 64;

/// The logs of one store while its names stream by, in any order.
#[derive(Debug, Default)]
pub(super) struct LogFold {
    /// By position of the asset in the estate, and timeline.
    timelines: BTreeMap<(usize, u32), Timeline>,
}

#[derive(Debug, Default)]
struct Timeline {
    ranges: RangeSet,
    partials: BTreeSet<u64>,
    history: Option<ObjectMeta>,
    labels: BTreeSet<u64>,
    label_files: Vec<ObjectMeta>,
    bytes: u64,
}

/// What the log archive of one store comes to.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub logs: Vec<LogTimeline>,
    pub label_files: Vec<(AssetId, ObjectMeta)>,
    pub history_files: Vec<HistoryFile>,
}

impl LogFold {
    pub(super) fn add(&mut self, asset: usize, name: WalName, meta: &ObjectMeta) {
        let timeline = match name {
            WalName::Segment(s) | WalName::Partial(s) | WalName::Label(s) => s.timeline,
            WalName::History(timeline) => timeline,
        };
        let entry = self.timelines.entry((asset, timeline)).or_default();
        entry.bytes = entry.bytes.saturating_add(meta.size);
        match name {
            WalName::Segment(segment) => entry.ranges.insert(segment.number, meta.modified),
            WalName::Partial(segment) => {
                entry.partials.insert(segment.number);
                // Only the last can matter.
                if entry.partials.len() > LABEL_FILES {
                    entry.partials.pop_first();
                }
            }
            WalName::History(_) => entry.history = Some(meta.clone()),
            WalName::Label(segment) => {
                entry.labels.insert(segment.number);
                entry.label_files.push(meta.clone());
                if entry.label_files.len() >= 2 * LABEL_FILES {
                    entry.keep_newest_labels();
                }
            }
        }
    }

    /// The timelines, and the files of the archive that are worth reading.
    pub(super) fn finish(self, assets: &[AssetId], store: &StoreId) -> Folded {
        let Folded { mut logs, label_files: mut files, history_files: mut histories } = Folded::default();
        for ((asset, timeline), mut entry) in self.timelines {
            let Some(asset) = assets.get(asset) else { continue };
            entry.keep_newest_labels();
            files.extend(entry.label_files.drain(..).map(|meta| (asset.clone(), meta)));
            let partial = entry.partials.last().copied().filter(|number| !entry.ranges.contains(*number));
            let history = entry.history.is_some();
            histories.extend(entry.history.map(|meta| HistoryFile { asset: asset.clone(), timeline, meta }));
            logs.push(LogTimeline {
                asset: asset.clone(),
                store: store.clone(),
                timeline,
                ranges: entry.ranges.into_ranges(),
                partial,
                history,
                fork: None,
                labels: entry.labels.into_iter().collect(),
                bytes: entry.bytes,
            });
        }
        Folded { logs, label_files: files, history_files: histories }
    }
}

impl Timeline {
    fn keep_newest_labels(&mut self) {
        self.label_files.sort_by(|a, b| b.name.cmp(&a.name));
        self.label_files.truncate(LABEL_FILES);
    }
}

/// Runs of numbers that arrive in any order.
#[derive(Debug, Default)]
pub(super) struct RangeSet {
    by_first: BTreeMap<u64, (u64, Option<Timestamp>, Option<Timestamp>)>,
}

impl RangeSet {
    pub(super) fn insert(&mut self, number: u64, at: Option<Timestamp>) {
        self.insert_range(SegmentRange { first: number, last: number, first_modified: at, last_modified: at });
    }

    /// Adds a run; what it touches or overlaps becomes one run with it.
    pub(super) fn insert_range(&mut self, range: SegmentRange) {
        let SegmentRange { mut first, mut last, mut first_modified, mut last_modified } = range;
        if let Some((before, run)) = self.by_first.range_mut(..=first).next_back() {
            if run.0 >= last {
                return;
            }
            if run.0.saturating_add(1) == first && last == first {
                // The common case, in place: the next segment of a run.
                let next = first.saturating_add(1);
                (run.0, run.2) = (last, last_modified);
                let before = *before;
                if let Some((end, _, end_at)) = self.by_first.remove(&next)
                    && let Some(run) = self.by_first.get_mut(&before)
                {
                    (run.0, run.2) = (end, end_at);
                }
                return;
            }
        }
        let touching: Vec<u64> = self
            .by_first
            .range(..=last.saturating_add(1))
            .rev()
            .take_while(|(_, run)| run.0.saturating_add(1) >= first)
            .map(|(start, _)| *start)
            .collect();
        for start in touching {
            if let Some((end, start_at, end_at)) = self.by_first.remove(&start) {
                if start < first {
                    (first, first_modified) = (start, start_at);
                }
                if end > last {
                    (last, last_modified) = (end, end_at);
                }
            }
        }
        self.by_first.insert(first, (last, first_modified, last_modified));
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.by_first.range(..=number).next_back().is_some_and(|(_, run)| run.0 >= number)
    }

    pub(super) fn into_ranges(self) -> Vec<SegmentRange> {
        self.by_first
            .into_iter()
            .map(|(first, (last, first_modified, last_modified))| SegmentRange {
                first,
                last,
                first_modified,
                last_modified,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_every_archiver_are_read() {
        let segment = Segment { timeline: 1, number: 0xA2 * 256 + 0xFE };
        let plain = "00000001000000A2000000FE";
        for suffix in
            ["", ".gz", ".zst", ".lz4", ".bz2", ".xz", ".gz.gpg", "-0123456789abcdef0123456789abcdef01234567.gz"]
        {
            assert_eq!(WalName::parse(&format!("{plain}{suffix}")), Some(WalName::Segment(segment)), "{suffix}");
        }
        for suffix in [".partial", ".gz.partial", ".partial.gz"] {
            assert_eq!(WalName::parse(&format!("{plain}{suffix}")), Some(WalName::Partial(segment)), "{suffix}");
        }
        assert_eq!(WalName::parse(&format!("{plain}.00000028.backup")), Some(WalName::Label(segment)));
        assert_eq!(WalName::parse(&format!("{plain}.00000028.backup.gz")), Some(WalName::Label(segment)));
        assert_eq!(WalName::parse("00000002.history.gz"), Some(WalName::History(2)));
        for other in ["README", "", ".gz", "00000001000000A2000000FE.tmp", "00000000.history", "x.backup", ".partial"] {
            assert_eq!(WalName::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn ranges_hold_exactly_what_was_put_in(numbers in proptest::collection::vec(0_u64..200, 0..120)) {
            let mut set = RangeSet::default();
            for n in &numbers {
                set.insert(*n, None);
            }
            for n in 0..200 {
                prop_assert_eq!(set.contains(n), numbers.contains(&n));
            }
            let ranges = set.into_ranges();
            prop_assert!(ranges.windows(2).all(|w| w[0].last + 1 < w[1].first));
            prop_assert!(ranges.iter().all(|r| r.first <= r.last));
        }
    }
}
