//! The catalog as a value: kept on disk, laid over with proofs, chosen from, compared.

use crate::bytes::plain_sql;
use crate::estate::{Sources, World, at, ids};
use chrono_tz::Tz;
use relight::catalog::diff::Diff;
use relight::catalog::{Catalog, cache};
use relight::model::actor::Actor;
use relight::model::backup::BackupKind::Full;
use relight::model::estate::AssetKind;
use relight::model::id::AssetId;
use relight::model::proof::{Level, ProofOutcome, ProofRecord};
use relight::model::time::Timestamp;
use std::os::unix::fs::PermissionsExt;

fn world() -> World {
    let mut world = World::new(Tz::UTC, &["s3"]);
    world.asset("db", AssetKind::PostgreSql).from("s3", "db_{time}.sql", Full);
    for day in 13..16 {
        world.put("s3", &format!("db_202401{day}_020000.sql"), plain_sql(), &format!("2024-01-{day}T02:01:00Z"));
    }
    world
}

#[test]
fn a_catalog_survives_the_disk_and_damage_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.json");
    assert!(cache::load(&path).unwrap().is_none());
    let catalog = world().scan();
    cache::save(&path, &catalog).unwrap();
    cache::save(&path, &catalog).unwrap();
    assert_eq!(cache::load(&path).unwrap(), Some(catalog));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    let whole = std::fs::read(&path).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", b"null", b"\xff", b"{\"schema\":\"relight.catalog-cache/1\"}"] {
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(cache::load(&path), Err(cache::CacheError::Damaged { .. })));
    }
    std::fs::write(&path, b"{\"schema\":\"relight.catalog-cache/9\",\"catalog\":7}").unwrap();
    assert!(matches!(cache::load(&path), Err(cache::CacheError::Version { .. })));
}

fn proof(catalog: &Catalog, index: usize, outcome: ProofOutcome, level: Level, when: &str) -> ProofRecord {
    let backup = &catalog.backups[index];
    ProofRecord {
        backup: backup.id.clone(),
        store: "s3".into(),
        path: backup.copies[0].path.clone(),
        level,
        wanted: Level::L4,
        outcome,
        at: at(when),
        actor: Actor { name: "test".to_owned(), host: "here".to_owned(), pid: 1 },
        tool: "test".to_owned(),
        detail: String::new(),
        size_bytes: backup.copies[0].size_bytes,
        pin: backup.copies[0].etag.clone(),
        sha256: None,
        facts: std::collections::BTreeMap::new(),
    }
}

#[test]
fn proofs_count_for_the_same_bytes_only_and_latest_proven_finds_them() {
    let world = world();
    let catalog = world.scan();
    let db = AssetId::from("db");
    assert_eq!(catalog.choose_for(&db, "latest").unwrap().id.as_str(), "db-full-20240115T020000Z");
    assert!(catalog.choose_for(&db, "latest-proven").unwrap_err().to_string().contains("relight verify"));
    let passed = proof(&catalog, 1, ProofOutcome::Passed, Level::L4, "2024-01-16T00:00:00Z");
    let unknown = proof(&catalog, 1, ProofOutcome::Unknown, Level::L0, "2024-01-16T01:00:00Z");
    let weak = proof(&catalog, 0, ProofOutcome::Passed, Level::L1, "2024-01-16T01:00:00Z");
    let records = [weak, passed.clone(), unknown];
    let proven = catalog.clone().with_proofs(&records);
    assert_eq!(proven.backups[1].proof.as_deref(), Some(&passed));
    assert_eq!(proven.choose_for(&db, "latest-proven").unwrap().id, proven.backups[1].id);
    world.put("s3", "db_20240114_020000.sql", plain_sql(), "2024-01-16T02:01:00Z");
    let replaced = world.rescan(&catalog).with_proofs(&records);
    assert_eq!(replaced.backups[1].proof, None, "the same name with new bytes is not proven");
}

#[test]
fn a_backup_is_chosen_by_any_unambiguous_beginning() {
    let mut catalog = world().scan();
    let db = AssetId::from("db");
    for text in ["db-full-20240114", "full-20240114", "db-full-20240114T020000Z"] {
        assert_eq!(catalog.choose_for(&db, text).unwrap().id.as_str(), "db-full-20240114T020000Z");
    }
    assert!(catalog.choose_for(&db, "full").is_err());
    assert!(catalog.choose_for(&AssetId::from("other"), "latest").is_err());
    catalog.backups[0].complete = Some(false);
    assert_eq!(catalog.choose_for(&db, "latest").unwrap().id.as_str(), "db-full-20240114T020000Z");
}

#[test]
fn what_changed_between_two_scans_is_told() {
    let mut world = world();
    let before = world.scan();
    world.put("s3", "db_20240116_020000.sql", plain_sql(), "2024-01-16T02:01:00Z");
    world.put("s3", "db_20240115_020000.sql", b"SET x;".to_vec(), "2024-01-16T02:01:00Z");
    world.memory["s3"].inner().lose("db_20240113_020000.sql");
    world.now = Timestamp::from_timestamp(1_705_500_000, 0).unwrap();
    let after = world.rescan(&before);
    let diff = Diff::between(&before, &after);
    assert_eq!(diff.added.len(), 1);
    assert_eq!(diff.gone[0].as_str(), "db-full-20240113T020000Z");
    assert!(diff.changed[0].1[0].contains("to 6 bytes"), "{diff:?}");
    assert!(Diff::between(&after, &after).is_empty());
    assert_eq!(ids(&after).len(), 3);
}
