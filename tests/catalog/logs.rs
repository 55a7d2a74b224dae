//! Log archives and the recovery windows that come of them.

use crate::bytes::{gzip, tar};
use crate::estate::{Sources, World, at};
use chrono_tz::Tz;
use relight::model::backup::BackupKind::{Full, Log};
use relight::model::estate::AssetKind;
use relight::model::id::AssetId;
use relight::model::wal::Segment;

fn segment(number: u64) -> String {
    Segment { timeline: 1, number }.to_string()
}

fn minute(n: u64) -> String {
    format!("2024-01-15T{:02}:{:02}:00Z", 1 + n / 60, n % 60)
}

fn world(layout: impl Fn(u64) -> String, missing: &[u64]) -> World {
    let mut world = World::new(Tz::UTC, &["s3"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("s3", "wal/", Log);
    db.from("s3", "full/full_{time}/", Full);
    for n in (1..=200).filter(|n| !missing.contains(n)) {
        world.put("s3", &layout(n), b"w".to_vec(), &minute(n));
    }
    world
}

#[test]
fn every_layout_of_an_archive_folds_into_the_same_ranges() {
    let layouts: [&dyn Fn(u64) -> String; 4] = [
        &|n| format!("wal/{}", segment(n)),
        &|n| format!("wal/{}.gz", segment(n)),
        &|n| format!("wal/{}/{}.zst", &segment(n)[..16], segment(n)),
        &|n| format!("wal/15-1/{}/{}-{}.gz", &segment(n)[..16], segment(n), "ab".repeat(20)),
    ];
    for layout in layouts {
        let world = world(layout, &[50, 51]);
        world.put("s3", &format!("wal/{}.partial", segment(201)), b"w".to_vec(), &minute(201));
        world.put("s3", &format!("wal/{}.00000028.backup", segment(3)), b"LABEL: x\n".to_vec(), &minute(3));
        world.put("s3", "wal/00000002.history", b"1\t0/3000060\tno\n".to_vec(), &minute(3));
        let catalog = world.scan();
        let log = catalog.logs.iter().find(|l| l.timeline == 1).unwrap();
        assert_eq!(log.ranges.iter().map(|r| (r.first, r.last)).collect::<Vec<_>>(), [(1, 49), (52, 200)]);
        assert_eq!(log.holes().collect::<Vec<_>>(), [(50, 51)]);
        assert_eq!((log.partial, log.labels.as_slice()), (Some(201), &[3][..]));
        assert!(catalog.logs.iter().any(|l| l.timeline == 2 && l.history));
        assert_eq!(catalog.unrecognised.count, 0, "{:?}", catalog.unrecognised);
    }
}

#[test]
fn a_window_reaches_from_the_end_of_the_base_to_the_hole() {
    let world = world(|n| format!("wal/{}.gz", segment(n)), &[120]);
    let base = "full/full_20240115_020000";
    world.put("s3", &format!("{base}/base.tar.gz"), gzip(&tar()), "2024-01-15T02:40:00Z");
    let history = format!(
        "START WAL LOCATION: 0/3D000028 (file {})\nSTOP WAL LOCATION: 0/40000100 (file x)\n\
         CHECKPOINT LOCATION: 0/3D000060\nSTART TIME: 2024-01-15 02:00:03 UTC\nLABEL: full_20240115_020000\n\
         START TIMELINE: 1\nSTOP TIME: 2024-01-15 02:10:00 UTC\nSTOP TIMELINE: 1\n",
        segment(61)
    );
    world.put("s3", &format!("wal/{}.00000028.backup", segment(61)), history, &minute(70));
    let catalog = world.scan();
    let window = catalog.window(&AssetId::from("db")).unwrap();
    assert_eq!(window.spans, [(at("2024-01-15T02:10:00Z"), at(&minute(119)))]);
    assert!(window.points.is_empty(), "a base without its log is no point: {window:?}");
    let hole = &window.holes[0];
    assert_eq!((hole.first.clone(), hole.segments), (segment(120), 1));
    assert_eq!((hole.from, hole.to), (Some(at(&minute(119))), Some(at(&minute(200)))));
}

#[test]
fn without_a_label_the_base_counts_from_when_it_was_stored_and_needs_log_from_before_it() {
    let early = world(|n| format!("wal/{}", segment(n)), &[]);
    early.put("s3", "full/full_20240115_020000/base.tar.gz", gzip(&tar()), "2024-01-15T02:40:00Z");
    let window = early.scan().window(&AssetId::from("db")).unwrap().clone();
    assert_eq!(window.spans, [(at("2024-01-15T02:40:00Z"), at(&minute(200)))]);
    let late: Vec<u64> = (1..=100).collect();
    let late = world(|n| format!("wal/{}", segment(n)), &late);
    late.put("s3", "full/full_20240115_020000/base.tar.gz", gzip(&tar()), "2024-01-15T02:40:00Z");
    assert_eq!(late.scan().window(&AssetId::from("db")), None, "the log began after the base: nothing is sure");
}

/// A base on the first timeline; the log goes on there to minute 120, and on the second from where it
/// branched off in segment 120.
fn promoted(history: &str, second: std::ops::RangeInclusive<u64>) -> World {
    let missing: Vec<u64> = (120..=200).collect();
    let world = world(|n| format!("wal/{}", segment(n)), &missing);
    world.put("s3", &format!("wal/{}.partial", segment(120)), b"w".to_vec(), &minute(120));
    for number in second {
        let name = Segment { timeline: 2, number }.to_string();
        world.put("s3", &format!("wal/{name}"), b"w".to_vec(), &minute(number + 1));
    }
    world.put("s3", "wal/00000002.history", history.as_bytes().to_vec(), &minute(121));
    world.put("s3", "full/full_20240115_020000/base.tar.gz", gzip(&tar()), "2024-01-15T02:10:00Z");
    world
}

#[test]
fn a_window_crosses_a_promotion_where_the_history_and_the_segments_connect() {
    let end = |world: &World| world.scan().window(&AssetId::from("db")).unwrap().spans[0].1;
    let switch = "1\t0/78000060\tno recovery target specified\n";
    assert_eq!(end(&promoted(switch, 120..=180)), at(&minute(181)));
    assert_eq!(end(&promoted(switch, 122..=180)), at(&minute(119)), "the segments after the switch are missing");
    assert_eq!(end(&promoted("1\t0/90000060\tx\n", 120..=180)), at(&minute(119)), "the parent's log ends before it");
    assert_eq!(end(&promoted("no history\n", 120..=180)), at(&minute(119)));
    // The old primary went on after the promotion: without a label nobody knows on which side the base lies.
    let apart = promoted("1\t0/46000060\tx\n", 70..=180);
    assert_eq!(end(&apart), at(&minute(119)));
}

#[test]
fn a_million_segments_fold_into_ranges() {
    let mut world = World::new(Tz::UTC, &["s3"]);
    world.asset("db", AssetKind::PostgreSql).from("s3", "wal/", Log);
    let store = std::sync::Arc::new(crate::trouble::Counting { id: "s3".into(), segments: 1_000_000, hole: 500_000 });
    world.stores.insert("s3".into(), Ok(store));
    let started = std::time::Instant::now();
    let catalog = world.scan();
    assert_eq!(catalog.stores[0].objects, 999_999);
    let ranges: Vec<_> = catalog.logs[0].ranges.iter().map(|r| (r.first, r.last)).collect();
    assert_eq!(ranges, [(0, 499_999), (500_001, 999_999)]);
    // Wide, for an unoptimised build on a busy machine: what it catches is growth with the square.
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
}
