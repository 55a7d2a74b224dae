//! Stores that fail, and what the catalog says and keeps then.

use crate::bytes::plain_sql;
use crate::estate::{Sources, World, at, get, ids};
use bytes::Bytes;
use chrono_tz::Tz;
use futures::stream::{self, BoxStream, StreamExt};
use relight::catalog::{Catalog, ScanStatus};
use relight::model::backup::BackupKind::Full;
use relight::model::estate::AssetKind;
use relight::model::id::StoreId;
use relight::model::wal::Segment;
use relight::stores::wrap::{Fault, Operation};
use relight::stores::{ByteStream, ObjectMeta, Page, Pin, Store, StoreError, StoreErrorKind};
use std::ops::Range;

/// A store of nothing but log segments, made as they are listed.
#[derive(Debug)]
pub struct Counting {
    pub id: StoreId,
    pub segments: u64,
    pub hole: u64,
}

#[async_trait::async_trait]
impl Store for Counting {
    fn id(&self) -> &StoreId {
        &self.id
    }
    fn location(&self) -> String {
        "counting".to_owned()
    }
    fn list<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>> {
        let page = move |start: u64| {
            let numbers = (start..self.segments.min(start + 1000)).filter(|n| *n != self.hole);
            let object = |number| ObjectMeta {
                name: format!("wal/{}.gz", Segment { timeline: 1, number }),
                size: 1,
                modified: Some(at("2024-01-15T00:00:00Z")),
                etag: None,
                storage_class: None,
            };
            Ok(Page { objects: numbers.map(object).collect(), skipped: Vec::new() })
        };
        stream::iter((0..self.segments).step_by(1000).map(page)).boxed()
    }
    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        Err(StoreError::new(StoreErrorKind::Unsupported, &self.id, Some(name), "it only counts"))
    }
    async fn read_pieces(&self, name: &str, _: Range<u64>, _: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        Err(StoreError::new(StoreErrorKind::Unsupported, &self.id, Some(name), "it only counts"))
    }
    async fn read(&self, name: &str, _: u64, _: Option<&Pin>) -> Result<ByteStream, StoreError> {
        Err(StoreError::new(StoreErrorKind::Unsupported, &self.id, Some(name), "it only counts"))
    }
}

fn world() -> World {
    let mut world = World::new(Tz::UTC, &["local", "s3"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("local", "db_{time}.sql", Full);
    db.from("s3", "db_{time}.sql", Full);
    db.from("s3", "base_{time}/", Full);
    for day in 10..16 {
        world.put("s3", &format!("db_202401{day}_020000.sql"), plain_sql(), &format!("2024-01-{day}T02:01:00Z"));
    }
    world.put("local", "db_20240115_020000.sql", plain_sql(), "2024-01-15T02:00:30Z");
    for n in 0..1500 {
        world.put("s3", &format!("base_20240114_030000/{n:04}"), b"x".to_vec(), "2024-01-14T03:01:00Z");
    }
    world
}

#[test]
fn a_lost_store_keeps_its_backups_and_says_so() {
    let mut world = world();
    let before = world.scan();
    world.now = at("2024-01-17T12:00:00Z");
    for (kind, status) in [
        (StoreErrorKind::Unreachable, ScanStatus::Unreachable),
        (StoreErrorKind::ExpiredCredentials, ScanStatus::Denied),
    ] {
        world.memory["s3"].always(Operation::List, Some(Fault::Fail(kind)));
        let after = world.rescan(&before);
        assert_eq!(after.backups, before.backups, "every copy and fact of the lost store is kept");
        let row = after.stores.iter().find(|s| s.id.as_str() == "s3").unwrap();
        assert_eq!((row.status, row.error_kind, row.scanned_at), (status, Some(kind), before.stores[1].scanned_at));
        assert_eq!(row.objects, before.stores[1].objects);
        assert!(row.error.is_some() && row.hint.is_some());
    }
}

#[test]
fn a_store_that_was_never_opened_is_unreachable_and_empty() {
    let mut world = world();
    let error = StoreError::new(StoreErrorKind::NoCredentials, &"s3".into(), None, "no keys\x1b[2J");
    world.stores.insert("s3".into(), Err(error));
    let catalog = world.scan();
    assert_eq!(ids(&catalog), ["db-full-20240115T020000Z-sql"]);
    assert_eq!(catalog.stores[1].status, ScanStatus::Denied);
    assert_eq!(catalog.stores[1].scanned_at, None);
    assert!(!catalog.stores[1].error.as_ref().unwrap().contains('\x1b'));
}

#[test]
fn a_listing_that_breaks_off_is_partial_and_nothing_is_lost() {
    let world = world();
    let before = world.scan();
    assert_eq!(get(&before, "db-full-20240114T030000Z-tree").copies[0].objects, 1500);
    world.memory["s3"].always(Operation::List, Some(Fault::BreakAfter(1)));
    let after = world.rescan(&before);
    assert_eq!(after.stores[1].status, ScanStatus::Partial);
    assert_eq!(after.backups, before.backups);
    let alone = world.scan();
    let folder = get(&alone, "db-full-20240114T030000Z-tree");
    assert_eq!((folder.copies[0].objects, folder.complete), (1000, None));
}

#[test]
fn one_store_is_scanned_alone() {
    let mut world = world();
    let before = world.scan();
    world.put("local", "db_20240116_020000.sql", plain_sql(), "2024-01-16T02:00:30Z");
    world.put("s3", "db_20240116_020000.sql", plain_sql(), "2024-01-16T02:00:30Z");
    world.now = at("2024-01-16T13:00:00Z");
    let after = world.only("local", &before);
    let newest = get(&after, "db-full-20240116T020000Z-sql");
    assert_eq!(newest.copies.len(), 1);
    assert_eq!(after.stores[1], before.stores[1]);
    assert_eq!(after.backups.len(), before.backups.len() + 1);
    let fresh = world.only("s3", &Catalog::default());
    assert_eq!(fresh.stores[0].status, ScanStatus::Pending);
    assert_eq!(fresh.scanned_at, None);
}
