//! Every naming scheme of the systems that Relight was made for, in the layout in which they lie.

use crate::bytes::{aof, custom_dump, gpg, gzip, plain_sql, rdb, tar};
use crate::estate::{Sources, World, at, get, ids};
use chrono_tz::Tz;
use relight::catalog::Catalog;
use relight::model::backup::BackupKind::{Archive, Full, Incremental, Snapshot};
use relight::model::backup::TimeSource;
use relight::model::estate::AssetKind;

const TS: &str = "20240115_020000";
const END: &str = "2024-01-15T02:10:00Z";

fn content(catalog: &Catalog, id: &str) -> String {
    get(catalog, id).content.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_host_with_nightly_scripts() {
    let mut world = World::new(Tz::UTC, &["local", "s3"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("local", "database/pynomaly_db_{time}.sql.gz", Full);
    db.from("s3", "database/daily/pynomaly_db_{time}.sql.gz", Full);
    world.asset("cache", AssetKind::Redis).from("local", "redis/redis_dump_{time}.rdb.gz", Full);
    world.asset("config", AssetKind::Config).from("local", "config/config_{time}.tar.gz.gpg", Full).encrypted = true;
    let data = world.asset("data", AssetKind::Files);
    data.from("local", "application/current/", Snapshot);
    data.from("local", "application/incremental/{time}/", Incremental);
    world.asset("aside", AssetKind::Other).from("local", "main.backup.{time}/", Archive);
    world.asset("aside-epoch", AssetKind::Other).from("local", "models.backup.{time:%s}/", Archive);

    let dump = gzip(&plain_sql());
    world.put("local", &format!("database/pynomaly_db_{TS}.sql.gz"), dump.clone(), END);
    world.put("s3", &format!("database/daily/pynomaly_db_{TS}.sql.gz"), dump, "2024-01-15T02:30:00Z");
    world.put("local", &format!("redis/redis_dump_{TS}.rdb.gz"), gzip(&rdb()), END);
    world.put("local", &format!("config/config_{TS}.tar.gz.gpg"), gpg(), END);
    world.put("local", &format!("config/config_{TS}.tar.gz"), gzip(&tar()), END);
    world.put("local", "application/current/uploads/a.png", b"png".to_vec(), END);
    world.put("local", "application/current/uploads/b.png", b"png".to_vec(), "2024-01-14T00:00:00Z");
    world.put("local", &format!("application/incremental/{TS}/uploads/a.png"), b"old".to_vec(), END);
    world.put("local", &format!("main.backup.{TS}/PG_VERSION"), b"12\n".to_vec(), END);
    world.put("local", "models.backup.1705284000/m/weights", b"w".to_vec(), END);

    let catalog = world.scan();
    assert_eq!(catalog.unrecognised.count, 0, "{:?}", catalog.unrecognised);
    let db = get(&catalog, "db-full-20240115T020000Z");
    assert_eq!(db.copies.iter().map(|c| c.store.as_str()).collect::<Vec<_>>(), ["local", "s3"]);
    assert_eq!(db.time_source, TimeSource::Name);
    assert_eq!(content(&catalog, "db-full-20240115T020000Z"), "plain SQL + gzip");
    assert_eq!(content(&catalog, "cache-full-20240115T020000Z"), "RDB + gzip");
    let config = get(&catalog, "config-full-20240115T020000Z");
    assert_eq!(config.encrypted, Some(true));
    assert_eq!(config.labels[&"plaintext-beside".to_owned()], format!("local: config/config_{TS}.tar.gz"));
    let current = get(&catalog, "data-snapshot-20240115T021000Z");
    assert_eq!((current.time_source, current.copies[0].objects), (TimeSource::Modified, 2));
    get(&catalog, "data-incremental-20240115T020000Z");
    get(&catalog, "aside-archive-20240115T020000Z");
    assert_eq!(get(&catalog, "aside-epoch-archive-20240115T020000Z").taken_at, at("2024-01-15T02:00:00Z"));
}

#[test]
fn a_model_service_in_a_bucket() {
    let mut world = World::new(Tz::UTC, &["db", "models"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("db", "postgres/daily/pynomaly_backup_{time}.sql.gz", Full);
    db.from("db", "postgres/daily/pynomaly_backup_{time}.sql", Full);
    world.asset("config", AssetKind::Config).from("db", "config/config_backup_{time}.tar.gz", Full);
    world.asset("models", AssetKind::Models).from("models", "models/{time}/{id}/", Full);
    world.put("db", &format!("postgres/daily/pynomaly_backup_{TS}.sql.gz"), gzip(&custom_dump()), END);
    world.put("db", "postgres/daily/pynomaly_backup_20240114_020000.sql", custom_dump(), END);
    world.put("db", &format!("config/config_backup_{TS}.tar.gz"), gzip(&tar()), END);
    world.put("models", &format!("models/{TS}/fraud/model.pkl"), b"weights".to_vec(), END);
    world.put("models", &format!("models/{TS}/fraud-v2/model.pkl"), b"weights".to_vec(), END);
    let catalog = world.scan();
    assert_eq!(
        ids(&catalog),
        [
            "config-full-20240115T020000Z",
            "db-full-20240115T020000Z",
            "models-full-20240115T020000Z-fraud",
            "models-full-20240115T020000Z-fraud-v2",
            "db-full-20240114T020000Z"
        ]
    );
    assert_eq!(content(&catalog, "db-full-20240115T020000Z"), "custom dump + gzip");
    assert_eq!(content(&catalog, "db-full-20240114T020000Z"), "custom dump");
    assert_eq!(get(&catalog, "models-full-20240115T020000Z-fraud").labels[&"id".to_owned()], "fraud");
}

#[test]
fn a_platform_with_physical_backups_and_a_cluster() {
    let mut world = World::new(Tz::UTC, &["db", "redis", "config"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("db", "full/full_{time}/", Full).required = vec!["base.tar.*".to_owned(), "metadata.json".to_owned()];
    db.from("db", "incremental/incremental_{time}/", Incremental);
    let cache = world.asset("cache", AssetKind::Redis);
    cache.from("redis", "{time}/dump.rdb.gz", Full);
    cache.from("redis", "{time}/appendonly.aof.gz", Full);
    let infra = world.asset("infra", AssetKind::Config);
    infra.from("config", "kubernetes/k8s_{time}.tar.gz", Full);
    infra.from("config", "helm/helm_{time}.tar.gz", Full);
    infra.from("config", "argocd/argocd_{time}.tar.gz", Full);
    for name in ["base.tar.gz", "pg_wal.tar.gz"] {
        world.put("db", &format!("full/full_{TS}/{name}"), gzip(&tar()), END);
    }
    world.put("db", "incremental/incremental_20240115_080000/000000010000000000000004.gz", gzip(b"wal"), END);
    world.put("db", "incremental/incremental_20240115_080000/000000010000000000000005.gz.partial", gzip(b"w"), END);
    world.put("redis", &format!("{TS}/dump.rdb.gz"), gzip(&rdb()), END);
    world.put("redis", &format!("{TS}/appendonly.aof.gz"), gzip(&aof()), END);
    for name in ["kubernetes/k8s", "helm/helm", "argocd/argocd"] {
        world.put("config", &format!("{name}_{TS}.tar.gz"), gzip(&tar()), END);
    }
    let catalog = world.scan();
    assert_eq!(
        ids(&catalog),
        [
            "db-incremental-20240115T080000Z",
            "cache-full-20240115T020000Z-aof",
            "cache-full-20240115T020000Z-rdb",
            "db-full-20240115T020000Z",
            "infra-full-20240115T020000Z-argocd",
            "infra-full-20240115T020000Z-helm",
            "infra-full-20240115T020000Z-k8s",
        ]
    );
    assert_eq!(content(&catalog, "cache-full-20240115T020000Z-aof"), "AOF + gzip");
    let full = get(&catalog, "db-full-20240115T020000Z");
    assert_eq!(
        (full.complete, full.copies[0].objects, full.copies[0].path.as_str()),
        (Some(false), 2, "full/full_20240115_020000/")
    );
    assert_eq!(full.incomplete_because, ["its member `metadata.json` is missing"]);
    let log = &catalog.logs[0];
    assert_eq!((log.timeline, log.ranges[0].first, log.partial), (1, 4, Some(5)));
}

#[test]
fn a_compose_project_with_a_folder_per_run() {
    let mut world = World::new(Tz::UTC, &["backup"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("backup", "postgres/{time}/freeagentics_{time}.dump", Full);
    db.from("backup", "postgres/basebackup/{time}/", Full);
    world.asset("cache", AssetKind::Redis).from("backup", "redis/{time}/", Full);
    world.asset("code", AssetKind::Code).from("backup", "code/{time}/source_code_{time}.tar.gz", Full);
    let images = world.asset("images", AssetKind::Images);
    images.from("backup", "code/{time}/{image}_image_{time}.tar", Full);
    let users = world.asset("users", AssetKind::Files);
    users.from("backup", "user-data/{time}/", Full);
    world.put("backup", &format!("postgres/{TS}/freeagentics_{TS}.dump"), custom_dump(), END);
    world.put("backup", &format!("postgres/basebackup/{TS}/base.tar.gz"), gzip(&tar()), END);
    world.put("backup", &format!("redis/{TS}/dump.rdb"), rdb(), END);
    world.put("backup", &format!("redis/{TS}/redis.conf"), b"appendonly no\n".to_vec(), END);
    world.put("backup", &format!("code/{TS}/source_code_20240115_020003.tar.gz"), gzip(&tar()), END);
    world.put("backup", &format!("code/{TS}/api_image_20240115_020009.tar"), tar(), END);
    world.put("backup", &format!("code/{TS}/web_image_20240115_020011.tar"), tar(), END);
    world.put("backup", &format!("user-data/{TS}/user_data.dump"), custom_dump(), END);
    world.put("backup", &format!("user-data/{TS}/uploads/a.png"), b"png".to_vec(), END);
    let catalog = world.scan();
    assert_eq!(catalog.unrecognised.count, 0, "{:?}", catalog.unrecognised);
    assert_eq!(
        ids(&catalog),
        [
            "images-full-20240115T020011Z-web",
            "images-full-20240115T020009Z-api",
            "code-full-20240115T020003Z",
            "cache-full-20240115T020000Z",
            "db-full-20240115T020000Z-dump",
            "db-full-20240115T020000Z-tree",
            "users-full-20240115T020000Z",
        ]
    );
    assert_eq!(get(&catalog, "code-full-20240115T020003Z").labels[&"other-time-in-name".to_owned()], TS);
    assert_eq!(get(&catalog, "cache-full-20240115T020000Z").copies[0].objects, 2);
}

#[test]
fn an_application_with_moving_names() {
    let mut world = World::new(Tz::UTC, &["local"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("local", "crud_test_db_{time}.sql.gz", Full);
    db.from("local", "crud_test_db_{alias:latest|previous}.sql.gz", Full);
    let dump = gzip(&custom_dump());
    let other = gzip(&plain_sql());
    world.put("local", "crud_test_db_20240115_020000.sql.gz", dump.clone(), END);
    world.put("local", "crud_test_db_20240114_020000.sql.gz", dump[..dump.len() - 1].to_vec(), END);
    world.put("local", "crud_test_db_latest.sql.gz", dump, "2024-01-15T02:11:00Z");
    world.put("local", "crud_test_db_previous.sql.gz", other, "2024-01-13T02:11:00Z");
    let catalog = world.scan();
    assert_eq!(ids(&catalog), ["db-full-20240115T020000Z", "db-full-20240114T020000Z", "db-full-20240113T021100Z"]);
    let newest = get(&catalog, "db-full-20240115T020000Z");
    assert_eq!(newest.labels[&"latest".to_owned()], "local: crud_test_db_latest.sql.gz");
    assert_eq!(newest.copies.len(), 1);
    let own = get(&catalog, "db-full-20240113T021100Z");
    assert_eq!((own.time_source, own.labels[&"moving".to_owned()].as_str()), (TimeSource::Modified, "previous"));
    assert!(own.labels[&"note".to_owned()].contains("no dated backup"));
}

#[test]
fn names_are_read_in_the_zone_of_their_store_also_at_the_change_of_clocks() {
    let mut world = World::new(Tz::Europe__Berlin, &["local"]);
    world.asset("db", AssetKind::PostgreSql).from("local", "db_{time}.sql", Full);
    world.put("local", "db_20240115_020000.sql", plain_sql(), END);
    // 2024-10-27 02:30 came twice; the file was written half an hour after the second.
    world.put("local", "db_20241027_023000.sql", plain_sql(), "2024-10-27T02:00:00Z");
    // 2024-03-31 02:30 never came.
    world.put("local", "db_20240331_023000.sql", plain_sql(), "2024-03-31T01:31:00Z");
    let catalog = world.scan();
    get(&catalog, "db-full-20240115T010000Z");
    let twice = get(&catalog, "db-full-20241027T003000Z");
    assert_eq!((twice.taken_at, twice.ambiguous_with), (at("2024-10-27T01:30:00Z"), Some(at("2024-10-27T00:30:00Z"))));
    let never = get(&catalog, "db-full-20240331T013000Z");
    assert_eq!((never.taken_at, never.ambiguous_with), (at("2024-03-31T01:30:00Z"), Some(at("2024-03-31T01:00:00Z"))));
}

#[test]
fn what_was_not_looked_into_is_unknown_and_said_so_until_a_later_scan() {
    let mut world = World::new(Tz::UTC, &["s3"]);
    world.asset("db", AssetKind::PostgreSql).from("s3", "db_{time}.sql", Full);
    for day in 1..=31 {
        world.put("s3", &format!("db_202401{day:02}_020000.sql"), plain_sql(), END);
        world.put("s3", &format!("db_202402{:02}_020000.sql", day.min(29)), plain_sql(), END);
    }
    let first = world.scan();
    let unknown = |catalog: &Catalog| catalog.backups.iter().filter(|b| b.content.is_none()).count();
    assert_eq!((first.backups.len(), unknown(&first)), (60, 28));
    let said = |catalog: &Catalog| catalog.unrecognised.samples.iter().any(|l| l.contains("28 older backups were not"));
    assert!(said(&first) && first.unrecognised.count == 0, "{:?}", first.unrecognised);
    let second = world.rescan(&first);
    assert_eq!(unknown(&second), 0);
    assert!(!said(&second));
}
