//! Names and files that someone made to hurt.

use crate::bytes::plain_sql;
use crate::estate::{Sources, World, at};
use chrono_tz::Tz;
use relight::catalog::Unrecognised;
use relight::model::backup::BackupKind::Full;
use relight::model::estate::AssetKind;
use relight::model::text::escaped;

const END: &str = "2024-01-15T02:10:00Z";

#[test]
fn hostile_names_neither_reach_the_screen_raw_nor_leave_the_root() {
    let mut world = World::new(Tz::UTC, &["s3"]);
    world.asset("db", AssetKind::PostgreSql).from("s3", "{id}_{time}.sql", Full);
    let store = world.memory["s3"].inner();
    for name in [
        "\x1b[2J\x1b]0;x\x07_20240115_020000.sql".to_owned(),
        "line\nbreak_20240115_020000.sql".to_owned(),
        "\u{202e}lqs_20240115_020000.sql".to_owned(),
        format!("{}_20240115_020000.sql", "a".repeat(1004)),
        "-rf_20240115_020000.sql".to_owned(),
    ] {
        store.put_at(&name, plain_sql(), at(END));
    }
    for name in ["plain\x1b[31m", "new\nline", "x_20241332_020000.sql", "ü€😀_2024"] {
        store.put_at(name, plain_sql(), at(END));
    }
    let catalog = world.scan();
    assert_eq!(catalog.backups.len(), 5);
    for backup in &catalog.backups {
        let id = backup.id.as_str();
        assert!(id.len() < 80 && id.bytes().all(|b| b.is_ascii_graphic()), "{id:?}");
    }
    let distinct: std::collections::BTreeSet<_> = catalog.backups.iter().map(|b| &b.id).collect();
    assert_eq!(distinct.len(), 5);
    assert_eq!(catalog.unrecognised.count, 4);
    for line in &catalog.unrecognised.samples {
        assert_eq!(escaped(line), *line);
    }
    assert!(catalog.unrecognised.samples.iter().any(|l| l.contains("in no calendar")));
}

#[test]
fn sidecars_of_any_bytes_break_nothing() {
    let mut world = World::new(Tz::UTC, &["s3"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("s3", "a/{time}.sql", Full);
    db.from("s3", "b/{time}/", Full);
    world.put("s3", "a/20240115_020000.sql", plain_sql(), END);
    world.put("s3", "b/20240115_020000/base/1/1", b"x".to_vec(), END);
    let deep = vec![b'['; 100_000];
    let bodies: [&[u8]; 8] = [
        b"",
        b"\xff\xfe\x00\x00",
        b"{\"models\": [{\"model_id\": \"../../etc\", \"files\": [{\"relative_path\": \"../x\", \"size\": 1}]}]}",
        b"{\"Files\": [{\"Path\": \"../../etc/passwd\", \"Size\": 18446744073709551615}], \"PostgreSQL-Backup-Manifest-Version\": 1}",
        &deep,
        b"{\"size_bytes\": -1, \"timestamp\": 7, \"base_backup\": \"\\u001b[2J\"}",
        b",,,,\n\"\n\x1b]0;x\x07,y,99999999999999999999999\n",
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3],
    ];
    let names = [
        "backup_catalog.csv",
        "metadata.json",
        "manifest_20240115_020000.json",
        "checksums.txt",
        "backup_contents.txt",
        "backup_info.txt",
        "manifest.txt",
        "backup_manifest",
        "backup_label",
        "backup_manifest.txt",
        "backup.log",
        "backup_label_20240115_030000.gz",
    ];
    for body in bodies {
        for name in names {
            world.put("s3", &format!("a/{name}"), body.to_vec(), END);
            world.put("s3", &format!("b/20240115_020000/{name}"), body.to_vec(), END);
        }
        let catalog = world.scan();
        assert_eq!(catalog.backups.len(), 2);
        assert!(catalog.backups.iter().all(|b| b.sidecars.len() > 5));
    }
}

#[test]
fn what_is_not_recognised_is_counted_and_sampled() {
    let mut world = World::new(Tz::UTC, &["s3"]);
    world.asset("db", AssetKind::PostgreSql).from("s3", "db/{time}.sql", Full);
    for n in 0..300 {
        world.put("s3", &format!("other/{n:03}"), b"12".to_vec(), END);
    }
    world.put("s3", "db/", Vec::new(), END);
    let catalog = world.scan();
    assert_eq!((catalog.unrecognised.count, catalog.unrecognised.bytes), (300, 600));
    assert_eq!(catalog.unrecognised.samples.len(), Unrecognised::SAMPLES);
    assert_eq!(catalog.unrecognised.samples[0], "s3: other/000");
    assert_eq!(catalog.stores[0].objects, 301);
}
