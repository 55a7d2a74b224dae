//! Sidecars in the exact form in which the systems write them, read and held against the objects.

use crate::bytes::{custom_dump, gzip, plain_sql, rdb, sha256, tar};
use crate::estate::{Sources, World, disagreements, fact, get};
use chrono_tz::Tz;
use relight::catalog::Catalog;
use relight::model::backup::BackupKind::{Full, Incremental, Log};
use relight::model::estate::AssetKind;
use relight::stores::wrap::Operation;

const TS: &str = "20240115_020000";
const END: &str = "2024-01-15T02:10:00Z";

#[test]
fn a_csv_whose_labels_are_not_the_names_is_reconciled_by_stamp_and_size() {
    let mut world = World::new(Tz::UTC, &["local"]);
    world.asset("db", AssetKind::PostgreSql).from("local", "database/pynomaly_db_{time}.sql.gz", Full);
    let dump = gzip(&plain_sql());
    for ts in [TS, "20240114_020000", "20240113_020000"] {
        world.put("local", &format!("database/pynomaly_db_{ts}.sql.gz"), dump.clone(), END);
    }
    let csv = format!(
        "database_backup_20240101_020000.sql.gz,2024-01-01T02:10:00Z,999\n\
         database_backup_20240114_020000.sql.gz,2024-01-14T02:10:00Z,12345\nbroken line\n\
         database_backup_{TS}.sql.gz,2024-01-15T02:10:00Z,{}\n",
        dump.len()
    );
    world.put("local", "database/backup_catalog.csv", csv, END);
    let catalog = world.scan();
    let newest = get(&catalog, "db-full-20240115T020000Z");
    let found = disagreements(newest, "backup_catalog.csv");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("label mismatch"), "{found:?}");
    assert_eq!(fact(newest, "backup_catalog.csv", "ended_at"), Some("2024-01-15T02:10:00Z"));
    assert_eq!(newest.sidecars[0].warnings, ["1 lines are not of three columns"]);
    let older = disagreements(get(&catalog, "db-full-20240114T020000Z"), "backup_catalog.csv");
    assert!(older.iter().any(|d| d.contains("12345 bytes")), "{older:?}");
    let unlisted = disagreements(get(&catalog, "db-full-20240113T020000Z"), "backup_catalog.csv");
    assert!(unlisted[0].contains("no row"), "{unlisted:?}");
}

fn full_metadata(size: usize) -> String {
    format!(
        r#"{{"backup_type": "full", "timestamp": "{TS}", "database": "platform_production", "size_bytes": {size},
        "duration_seconds": 2700, "s3_path": "s3://platform-db-backups/full/full_{TS}/",
        "recovery_target_time": "2024-01-15 02:45:00 UTC"}}"#
    )
}

#[test]
fn metadata_of_fulls_and_incrementals_gives_size_and_chain() {
    let mut world = World::new(Tz::UTC, &["s3"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("s3", "full/full_{time}/", Full).required = vec!["base.tar.gz".to_owned(), "metadata.json".to_owned()];
    db.from("s3", "incremental/incremental_{time}/", Incremental);
    let base = vec![7; 300_000];
    world.put("s3", &format!("full/full_{TS}/base.tar.gz"), base.clone(), END);
    world.put("s3", &format!("full/full_{TS}/metadata.json"), full_metadata(base.len()), END);
    world.put("s3", "full/full_20240114_020000/base.tar.gz", vec![7; 1000], "2024-01-14T02:10:00Z");
    world.put("s3", "full/full_20240114_020000/metadata.json", full_metadata(300_000), "2024-01-14T02:10:00Z");
    for (ts, base) in [("20240115_080000", TS), ("20240115_140000", "20231231_020000")] {
        let json = format!(
            r#"{{"backup_type": "incremental", "timestamp": "{ts}", "database": "p", "base_backup": "full_{base}",
            "size_bytes": 3, "duration_seconds": 600, "s3_path": "s3://b/incremental/incremental_{ts}/"}}"#
        );
        world.put("s3", &format!("incremental/incremental_{ts}/metadata.json"), json, END);
        world.put("s3", &format!("incremental/incremental_{ts}/delta"), b"abc".to_vec(), END);
    }
    let catalog = world.scan();
    let full = get(&catalog, "db-full-20240115T020000Z");
    assert_eq!((full.complete, disagreements(full, "metadata.json")), (Some(true), vec![]));
    assert_eq!(fact(full, "metadata.json", "database"), Some("platform_production"));
    let wrong = disagreements(get(&catalog, "db-full-20240114T020000Z"), "metadata.json");
    assert_eq!(wrong.len(), 3, "stamp, path and size: {wrong:?}");
    let held = get(&catalog, "db-incremental-20240115T080000Z").chain.as_ref().unwrap();
    assert_eq!(held.base.as_ref(), Some(&full.id));
    let lost = get(&catalog, "db-incremental-20240115T140000Z").chain.as_ref().unwrap();
    assert_eq!((lost.base_name.as_str(), lost.base.as_ref()), ("full_20231231_020000", None));
}

fn model_world() -> (World, String) {
    let mut world = World::new(Tz::UTC, &["s3"]);
    world.asset("models", AssetKind::Models).from("s3", "models/{time}/{id}/", Full);
    for id in ["fraud", "fraud-v2"] {
        for file in ["model.pkl", "data/vocab.json"] {
            world.put("s3", &format!("models/{TS}/{id}/{file}"), b"weights".to_vec(), END);
        }
    }
    let file = |name: &str| {
        let sum = sha256(b"weights");
        format!(
            r#"{{"name": "x", "relative_path": "{name}", "size": 7, "checksum": "{sum}", "modified": 1705280000.25}}"#
        )
    };
    let model = |id: &str| {
        let files = format!("{}, {}", file("model.pkl"), file("data/vocab.json"));
        format!(r#"{{"model_id": "{id}", "path": "/data/models/{id}", "total_size": 14, "files": [{files}]}}"#)
    };
    let manifest = format!(
        r#"{{"backup_timestamp": "2024-01-15T02:00:00.123", "registry_path": "/data/models", "models": [{}, {}]}}"#,
        model("fraud"),
        model("fraud-v2")
    );
    (world, manifest)
}

#[test]
fn a_model_manifest_counts_each_model_under_its_own_prefix() {
    let (world, manifest) = model_world();
    world.put("s3", &format!("manifests/manifest_{TS}.json"), manifest, END);
    let name = format!("manifest_{TS}.json");
    let catalog = world.scan();
    let fraud = get(&catalog, "models-full-20240115T020000Z-fraud");
    assert_eq!((fraud.complete, fact(fraud, &name, "files")), (Some(true), Some("2")));
    assert_eq!(fact(fraud, &name, "sha256 fraud/model.pkl"), Some(sha256(b"weights").as_str()));
    world.memory["s3"].inner().lose(&format!("models/{TS}/fraud/model.pkl"));
    world.put("s3", &format!("models/{TS}/fraud-v2/model.pkl"), b"short".to_vec(), END);
    let catalog = world.scan();
    let fraud = get(&catalog, "models-full-20240115T020000Z-fraud");
    assert_eq!(fraud.complete, Some(false));
    assert!(disagreements(fraud, &name)[0].contains("1 of its 2 files are missing"));
    let other = disagreements(get(&catalog, "models-full-20240115T020000Z-fraud-v2"), &name);
    assert!(other[0].contains("5 bytes, not 7"), "{other:?}");
}

#[test]
fn files_beside_a_dump_are_read() {
    let mut world = World::new(Tz::UTC, &["local"]);
    world.asset("db", AssetKind::PostgreSql).from("local", "postgres/{time}/freeagentics_{time}.dump", Full);
    let dump = custom_dump();
    let folder = format!("postgres/{TS}");
    world.put("local", &format!("{folder}/freeagentics_{TS}.dump"), dump.clone(), END);
    let sums = format!("{}  /backup/{folder}/freeagentics_{TS}.dump\n", sha256(&dump));
    world.put("local", &format!("{folder}/checksums.txt"), sums, END);
    let listing = ";\n; Archive created at 2024-01-15 02:00:01 UTC\n;     dbname: freeagentics\n;     TOC Entries: 9\n\
        ;     Format: CUSTOM\n;\n; Selected TOC Entries:\n;\n215; 1259 16385 TABLE public users postgres\n\
        3340; 0 16385 TABLE DATA public users postgres\n";
    world.put("local", &format!("{folder}/backup_contents.txt"), listing, END);
    let catalog = world.scan();
    let backup = get(&catalog, "db-full-20240115T020000Z");
    let sums = backup.sidecars.iter().find(|s| s.name == "checksums.txt").unwrap();
    assert_eq!((sums.sha256.as_deref(), sums.disagreements.len()), (Some(sha256(&dump).as_str()), 0));
    assert_eq!(fact(backup, "backup_contents.txt", "Format"), Some("CUSTOM"));
    assert_eq!(fact(backup, "backup_contents.txt", "tables with data"), Some("1"));
    assert_eq!(catalog.unrecognised.count, 0);
}

#[test]
fn folders_of_caches_and_user_data_are_read() {
    let mut world = World::new(Tz::UTC, &["local"]);
    world.asset("cache", AssetKind::Redis).from("local", "redis/{time}/dump.rdb", Full);
    world.asset("users", AssetKind::Files).from("local", "user-data/{time}/", Full);
    world.put("local", &format!("redis/{TS}/dump.rdb"), rdb(), END);
    let info = "Mon Jan 15 02:00:00 UTC 2024\nredis_version:7.0.15\r\n(integer) 1234\n";
    world.put("local", &format!("redis/{TS}/backup_info.txt"), info, END);
    for name in ["uploads/a.png", "uploads/b.png", "user_data.dump", "sessions.rdb"] {
        world.put("local", &format!("user-data/{TS}/{name}"), b"x".to_vec(), END);
    }
    world.put("local", &format!("user-data/{TS}/manifest.txt"), "Mon Jan 15 02:00:00 UTC 2024\n9\n4.0K\n", END);
    let catalog = world.scan();
    let cache = get(&catalog, "cache-full-20240115T020000Z");
    assert_eq!(fact(cache, "backup_info.txt", "redis_version"), Some("7.0.15"));
    assert_eq!(fact(cache, "backup_info.txt", "keys"), Some("1234"));
    let users = disagreements(get(&catalog, "users-full-20240115T020000Z"), "manifest.txt");
    assert_eq!(users, ["it counts 9 files, 5 objects are there"]);
}

fn pg_manifest(files: &[(&str, usize)]) -> String {
    let files: Vec<String> =
        files.iter().map(|(path, size)| format!(r#"{{ "Path": "{path}", "Size": {size} }}"#)).collect();
    let head = format!(
        "{{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n{}\n],\n\"WAL-Ranges\": [\n\
         {{ \"Timeline\": 1, \"Start-LSN\": \"0/2000028\", \"End-LSN\": \"0/2000100\" }}\n],\n",
        files.join(",\n")
    );
    let sum = sha256(head.as_bytes());
    format!("{head}\"Manifest-Checksum\": \"{sum}\"}}\n")
}

#[test]
fn a_postgresql_manifest_is_checked_against_itself_and_the_files() {
    let mut world = World::new(Tz::UTC, &["s3"]);
    world.asset("db", AssetKind::PostgreSql).from("s3", "base/{time}/", Full);
    let manifest = pg_manifest(&[("PG_VERSION", 3), ("base/1/1259", 8)]);
    for (ts, manifest) in [(TS, manifest.clone()), ("20240114_020000", manifest.replace("1259", "1260"))] {
        world.put("s3", &format!("base/{ts}/PG_VERSION"), b"15\n".to_vec(), END);
        world.put("s3", &format!("base/{ts}/base/1/1259"), vec![0; 8], END);
        let label = "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\nSTART TIME: 2024-01-15 02:00:01 UTC\n\
            LABEL: pg_basebackup base backup\nSTART TIMELINE: 1\n";
        world.put("s3", &format!("base/{ts}/backup_label"), label, END);
        world.put("s3", &format!("base/{ts}/backup_manifest"), manifest, END);
    }
    world.put("s3", "base/20240113_020000/base.tar.gz", gzip(&tar()), END);
    world.put("s3", "base/20240113_020000/backup_manifest", manifest.clone(), END);
    world.put("s3", "base/20240112_020000/base.tar.gz", gzip(&tar()), END);
    world.put("s3", "base/20240112_020000/backup_manifest", manifest[..manifest.len() / 2].to_owned(), END);
    world.put("s3", "base/20240111_020000/PG_VERSION", b"15\n".to_vec(), END);
    world.put("s3", "base/20240111_020000/backup_manifest", manifest, END);
    let catalog = world.scan();
    let good = get(&catalog, "db-full-20240115T020000Z");
    assert_eq!((good.complete, disagreements(good, "backup_manifest")), (Some(true), vec![]));
    assert_eq!(fact(good, "backup_manifest", "start_lsn"), Some("0/2000028"));
    assert_eq!(fact(good, "backup_label", "start_timeline"), Some("1"));
    let forged = disagreements(get(&catalog, "db-full-20240114T020000Z"), "backup_manifest");
    assert_eq!(forged, ["its own checksum does not fit its bytes"]);
    assert_eq!(get(&catalog, "db-full-20240113T020000Z").complete, Some(true));
    let cut = disagreements(get(&catalog, "db-full-20240112T020000Z"), "backup_manifest");
    assert!(cut[0].contains("cut off"), "{cut:?}");
    let missing = get(&catalog, "db-full-20240111T020000Z");
    assert_eq!(missing.complete, Some(false));
    assert!(missing.incomplete_because[0].contains("base/1/1259"), "{missing:?}");
}

#[test]
fn labels_manifests_and_logs_of_no_fixed_form_are_read_too() {
    let mut world = World::new(Tz::UTC, &["local"]);
    let db = world.asset("db", AssetKind::PostgreSql);
    db.from("local", "postgres/daily/app_{time}.sql.gz", Full);
    db.from("local", "postgres/wal/", Log);
    let dump = gzip(&plain_sql());
    world.put("local", &format!("postgres/daily/app_{TS}.sql.gz"), dump.clone(), END);
    world.put(
        "local",
        "postgres/wal/backup_label_20240115_030000.gz",
        gzip(b"Incremental backup 20240115_030000\n"),
        END,
    );
    world.put("local", "postgres/daily/backup_manifest.txt", "tool: scripts\nfiles=1\n", END);
    world.put("local", &format!("postgres/daily/app_{TS}.sql.gz.sha256"), sha256(&dump), END);
    let log = format!("Mon Jan 15 02:10 UTC 2024: app_{TS}.sql.gz 1.2G\n");
    world.put("local", "postgres/backup.log", log, END);
    let catalog = world.scan();
    let backup = get(&catalog, "db-full-20240115T020000Z");
    let stamp = disagreements(backup, "backup_label_20240115_030000.gz");
    assert!(stamp[0].contains("holds no log segment"), "{stamp:?}");
    assert_eq!(fact(backup, "backup_manifest.txt", "tool"), Some("scripts"));
    assert!(fact(backup, "backup.log", "line").unwrap().contains("1.2G"));
    assert!(backup.sidecars.iter().any(|s| s.sha256.as_deref() == Some(sha256(&dump).as_str())));
    assert_eq!(catalog.unrecognised.count, 0, "{:?}", catalog.unrecognised);
}

#[test]
fn what_did_not_change_is_not_read_again() {
    let (mut world, manifest) = model_world();
    world.put("s3", &format!("manifests/manifest_{TS}.json"), manifest, END);
    world.asset("db", AssetKind::PostgreSql).from("s3", "db/{time}.sql", Full);
    world.put("s3", &format!("db/{TS}.sql"), plain_sql(), END);
    world.put("s3", &format!("db/{TS}.sql.sha256"), sha256(&plain_sql()), END);
    let first = world.scan();
    let store = &world.memory["s3"];
    let (reads, lists) = (store.calls(Operation::ReadRange), store.calls(Operation::List));
    let second = world.rescan(&first);
    assert_eq!(first, second);
    assert_eq!((store.calls(Operation::ReadRange), store.calls(Operation::List)), (reads, lists + 1));
    store.inner().put_at(&format!("db/{TS}.sql"), plain_sql(), crate::estate::at("2024-01-15T05:00:00Z"));
    assert_ne!(world.rescan(&second), Catalog::default());
    assert_eq!(store.calls(Operation::ReadRange), reads + 2);
}
