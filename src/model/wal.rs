//! PostgreSQL write-ahead log names and ranges.

use super::id::{AssetId, StoreId};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A position of one segment: timeline and running segment number (`log * segments_per_log + seg`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Segment {
    pub timeline: u32,
    pub number: u64,
}

/// Segments per 4 GiB log file at the default segment size of 16 MiB.
pub const SEGMENTS_PER_LOG: u64 = 256;

impl Segment {
    /// Reads 24 hexadecimal digits, upper or lower case; `None` for anything else.
    pub fn parse(name: &str) -> Option<Self> {
        if name.len() != 24 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let part = |range: std::ops::Range<usize>| u32::from_str_radix(&name[range], 16).ok();
        let (timeline, log, seg) = (part(0..8)?, part(8..16)?, part(16..24)?);
        if timeline == 0 || u64::from(seg) >= SEGMENTS_PER_LOG {
            return None;
        }
        Some(Self { timeline, number: u64::from(log) * SEGMENTS_PER_LOG + u64::from(seg) })
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (log, seg) = (self.number / SEGMENTS_PER_LOG, self.number % SEGMENTS_PER_LOG);
        write!(f, "{:08X}{log:08X}{seg:08X}", self.timeline)
    }
}

/// An unbroken run of segments of one timeline, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRange {
    pub first: u64,
    pub last: u64,
    /// Modification times of the first and the last segment in the store, where it tells.
    pub first_modified: Option<Timestamp>,
    pub last_modified: Option<Timestamp>,
}

/// Where a timeline branched off from its parent at a promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    pub parent: u32,
    /// The segment in which the parent was left: the child's own first one has its beginning too.
    pub segment: u64,
}

/// What one store holds of one timeline of an asset's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTimeline {
    pub asset: AssetId,
    pub store: StoreId,
    pub timeline: u32,
    /// Ascending, not touching each other: what lies between two is a hole.
    pub ranges: Vec<SegmentRange>,
    /// A trailing `.partial` segment, usable only at the very end of a timeline.
    pub partial: Option<u64>,
    /// A `.history` file for this timeline exists.
    pub history: bool,
    /// What that file says.
    #[serde(default)]
    pub fork: Option<Fork>,
    /// Segment numbers in which backup labels (`.backup`) start.
    pub labels: Vec<u64>,
    pub bytes: u64,
}

impl LogTimeline {
    /// Missing segments between the first and the last range: `(first missing, last missing)`.
    pub fn holes(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.windows(2).map(|pair| (pair[0].last + 1, pair[1].first - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_names_are_read_and_written() {
        let name = "00000001000000A2000000FF";
        let segment = Segment::parse(name).unwrap();
        assert_eq!(segment.to_string(), name);
        assert_eq!(Segment { number: segment.number + 1, ..segment }.to_string(), "00000001000000A300000000");
        assert_eq!(Segment::parse("00000001000000A2000001FF"), None);
        assert_eq!(Segment::parse("00000001000000A2000000F"), None);
    }
}
