//! Timeline histories: from which timeline, and where, another one branched off at a promotion.

use super::decompress;
use super::sniff::{Layer, layer};
use super::window::segment_of;
use crate::model::id::AssetId;
use crate::model::wal::{Fork, LogTimeline};
use crate::stores::{ObjectMeta, Store};
use futures::{FutureExt, StreamExt, stream};
use std::io::Read;

/// Longest history that is read, in bytes, stored and opened: a line per promotion.
const LONGEST: u64 = 256 << 10;
/// Newest timelines of a store whose histories are read.
const NEWEST: usize = 64;
const AT_ONCE: usize = 8;

/// The history file of one timeline of an asset.
#[derive(Clone, Debug)]
pub(super) struct HistoryFile {
    pub asset: AssetId,
    pub timeline: u32,
    pub meta: ObjectMeta,
}

/// Reads the histories and tells the timelines where they branched off. One that cannot be read now leaves
/// its timeline without an origin, which makes windows shorter and never longer.
pub(super) async fn read(store: &dyn Store, mut files: Vec<HistoryFile>, logs: &mut [LogTimeline]) {
    files.retain(|file| file.meta.size <= LONGEST);
    files.sort_by_key(|file| std::cmp::Reverse(file.timeline));
    files.truncate(NEWEST);
    let asked: Vec<_> = files.into_iter().map(|file| one(store, file).boxed()).collect();
    let read: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    for (file, fork) in read.into_iter().flatten() {
        let own = |log: &&mut LogTimeline| log.asset == file.asset && log.timeline == file.timeline;
        if let Some(log) = logs.iter_mut().find(own) {
            log.fork = Some(fork);
        }
    }
}

async fn one(store: &dyn Store, file: HistoryFile) -> Option<(HistoryFile, Fork)> {
    let meta = &file.meta;
    let bytes = store.read_range(&meta.name, 0..meta.size, Some(&meta.pin())).await.ok()?;
    let fork = parse(&bytes, file.timeline)?;
    Some((file, fork))
}

/// The last line that says anything is the timeline's own origin: parent, position, reason.
fn parse(bytes: &[u8], timeline: u32) -> Option<Fork> {
    let mut text = bytes.to_vec();
    if let Layer::Wrapping(wrapping) = layer(bytes) {
        text.clear();
        decompress::decoder(wrapping, Box::new(bytes)).ok()?.take(LONGEST).read_to_end(&mut text).ok()?;
    }
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with('#'))?;
    let mut words = line.split_whitespace();
    let parent: u32 = words.next()?.parse().ok()?;
    let segment = segment_of(words.next()?)?;
    // A parent is always older than its child: there can be no circle.
    (parent > 0 && parent < timeline).then_some(Fork { parent, segment })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_where_a_timeline_branched_off() {
        let history = "1\t0/3000060\tno recovery target specified\n\n2\t1/A2000000\tbefore 2024-01-15\n";
        assert_eq!(parse(history.as_bytes(), 3), Some(Fork { parent: 2, segment: 0x1A2 }));
        let packed = zstd::encode_all(history.as_bytes(), 3).unwrap();
        assert_eq!(parse(&packed, 3), Some(Fork { parent: 2, segment: 0x1A2 }));
        for (bad, timeline) in
            [("", 2), ("2\t0/1\tx", 2), ("0\t0/1\tx", 2), ("x", 2), ("1 nowhere", 2), ("\u{1b}[2J", 2)]
        {
            assert_eq!(parse(bad.as_bytes(), timeline), None, "{bad:?}");
        }
    }
}
