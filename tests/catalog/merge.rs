//! Which sightings are one backup.

use crate::bytes::{gzip, plain_sql};
use crate::estate::{Sources, World, at, get, ids};
use chrono_tz::Tz;
use relight::model::backup::BackupKind::Full;
use relight::model::estate::AssetKind;

#[test]
fn other_names_of_the_same_instant_in_another_store_are_copies() {
    let mut world = World::new(Tz::UTC, &["local", "s3"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("local", "redis_{time}.rdb.gz", Full);
    db.from("s3", "{time}/dump.rdb.gz", Full);
    world.put("local", "redis_20240115_020000.rdb.gz", b"x".to_vec(), "2024-01-15T02:01:00Z");
    world.put("s3", "20240115_020000/dump.rdb.gz", b"x".to_vec(), "2024-01-15T03:01:00Z");
    let catalog = world.scan();
    assert_eq!(ids(&catalog), ["db-full-20240115T020000Z"]);
    assert_eq!(catalog.backups[0].copies.len(), 2);
}

#[test]
fn two_things_of_one_instant_in_one_store_stay_two() {
    let mut world = World::new(Tz::UTC, &["local", "s3"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("local", "**_{time}.sql.gz", Full);
    db.from("s3", "**_{time}.sql.gz", Full);
    for store in ["local", "s3"] {
        world.put(store, "a/orders_20240115_020000.sql.gz", gzip(&plain_sql()), "2024-01-15T02:01:00Z");
        world.put(store, "b/users_20240115_020000.sql.gz", gzip(b"SET x;"), "2024-01-15T02:01:00Z");
    }
    let catalog = world.scan();
    assert_eq!(catalog.backups.len(), 2);
    assert!(catalog.backups.iter().all(|b| b.copies.len() == 2), "{:#?}", catalog.backups);
    let again = world.rescan(&catalog);
    assert_eq!(ids(&again), ids(&catalog));
}

#[test]
fn the_hour_that_came_twice_is_one_backup_however_late_its_copies_are() {
    let mut world = World::new(Tz::Europe__Berlin, &["local", "s3"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("local", "db_{time}.sql", Full);
    db.from("s3", "db_{time}.sql", Full);
    world.put("local", "db_20241027_023000.sql", plain_sql(), "2024-10-27T00:31:00Z");
    world.put("s3", "db_20241027_023000.sql", plain_sql(), "2024-10-27T01:45:00Z");
    let catalog = world.scan();
    let one = get(&catalog, "db-full-20241027T003000Z");
    assert_eq!((one.taken_at, one.copies.len()), (at("2024-10-27T00:30:00Z"), 2));
}
