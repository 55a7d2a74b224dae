//! A host with nightly scripts: dumps, a cache, sealed settings, data with its deltas, a CSV as register.

use super::{Asked, Shown, TS, asset, estate, local};
use crate::bytes::{gpg, gzip, plain_sql, rdb, tar};
use crate::program::Sandbox;

fn system() -> Sandbox {
    let sandbox = Sandbox::new();
    let config = estate(&[
        local("host"),
        local("bucket"),
        asset(
            "db",
            "postgresql",
            &[
                ("host", "database/pynomaly_db_{time}.sql.gz", "full", ""),
                ("bucket", "database/daily/pynomaly_db_{time}.sql.gz", "full", ""),
            ],
        ),
        asset("cache", "redis", &[("host", "redis/redis_dump_{time}.rdb.gz", "full", "")]),
        asset("settings", "config", &[("host", "config/config_{time}.tar.gz.gpg", "full", "encrypted = true")]),
        asset(
            "data",
            "files",
            &[
                ("host", "application/current/", "snapshot", ""),
                ("host", "application/incremental/{time}/", "incremental", ""),
            ],
        ),
        asset("aside", "other", &[("host", "main.backup.{time}/", "archive", "")]),
        asset("aside-epoch", "other", &[("host", "models.backup.{time:%s}/", "archive", "")]),
    ]);
    sandbox.write("relight.toml", config);
    let dump = gzip(&plain_sql());
    sandbox.write(&format!("host/database/pynomaly_db_{TS}.sql.gz"), &dump);
    sandbox.write("host/database/pynomaly_db_20240114_020000.sql.gz", &dump);
    sandbox.write(&format!("bucket/database/daily/pynomaly_db_{TS}.sql.gz"), &dump);
    sandbox.write(
        "host/database/backup_catalog.csv",
        format!(
            "database_backup_20240114_020000.sql.gz,2024-01-14T02:10:00Z,12345\n\
             database_backup_{TS}.sql.gz,2024-01-15T02:10:00Z,{}\n",
            dump.len()
        ),
    );
    sandbox.write(
        "host/database/backup-verification.log",
        format!(
            "[2024-01-14 06:00:00] Starting backup verification\n[2024-01-14 06:00:02] FAILED: old news\n\
             [2024-01-15 06:00:00] Starting backup verification\n\
             [2024-01-15 06:00:02] PASS: /var/backups/pynomaly/database/pynomaly_db_{TS}.sql.gz is sound\n\
             [2024-01-15 06:00:09] FAILED: test restore\n[2024-01-15 06:00:10] S3 backups: 14 files\n\
             [2024-01-15 06:00:11] Backup verification completed\n"
        ),
    );
    sandbox.write(&format!("host/redis/redis_dump_{TS}.rdb.gz"), gzip(&rdb()));
    sandbox.write(&format!("host/config/config_{TS}.tar.gz.gpg"), gpg());
    sandbox.write(&format!("host/config/config_{TS}.tar.gz"), gzip(&tar()));
    sandbox.write("host/application/current/uploads/a.png", "png");
    sandbox.write(&format!("host/application/incremental/{TS}/uploads/a.png"), "old");
    sandbox.write(&format!("host/main.backup.{TS}/PG_VERSION"), "12\n");
    sandbox.write("host/models.backup.1705284000/m/weights", "w");
    sandbox
}

#[test]
fn nightly_scripts_of_a_host() {
    let sandbox = system();
    let asked = Asked::of(&sandbox);
    asked.nothing_is_left_over();
    let ids = asked.ids();
    let snapshot = ids.iter().position(|id| id.starts_with("data-snapshot-")).unwrap();
    let dated: Vec<&str> = ids.iter().enumerate().filter(|(i, _)| *i != snapshot).map(|(_, id)| *id).collect();
    assert_eq!(
        dated,
        [
            "aside-archive-20240115T020000Z",
            "aside-epoch-archive-20240115T020000Z",
            "cache-full-20240115T020000Z",
            "data-incremental-20240115T020000Z",
            "db-full-20240114T020000Z",
            "db-full-20240115T020000Z",
            "settings-full-20240115T020000Z",
        ]
    );
    let db = "db-full-20240115T020000Z";
    assert_eq!(asked.content(db), "plain-sql+gzip");
    let stores: Vec<_> = asked.backup(db)["copies"].as_array().unwrap().iter().map(|c| &c["store"]).collect();
    assert_eq!(stores, ["host", "bucket"]);
    assert_eq!(asked.content("cache-full-20240115T020000Z"), "rdb+gzip");
    let settings = asked.backup("settings-full-20240115T020000Z");
    assert_eq!(
        (&settings["encrypted"], asked.content("settings-full-20240115T020000Z").as_str()),
        (&true.into(), "open-pgp")
    );
    assert_eq!(settings["labels"]["plaintext-beside"], format!("host: config/config_{TS}.tar.gz"));
    assert_eq!(asked.rules("settings"), ["plaintext-beside"]);
    assert!(asked.rules("db").contains(&"sidecar-disagrees"), "{:?}", asked.rules("db"));
}

#[test]
fn the_register_and_the_verification_log_of_the_scripts() {
    let sandbox = system();
    let newest = Shown::of(&sandbox, "db-full-20240115T020000Z");
    assert_eq!(newest.fact("backup_catalog.csv", "ended_at"), "2024-01-15T02:10:00Z");
    assert!(newest.disagreement("backup_catalog.csv").contains("label mismatch"));
    let log = "backup-verification.log";
    assert_eq!(newest.fact(log, "checks that failed"), "1");
    assert!(newest.fact(log, "began").contains("2024-01-15 06:00:00"));
    let warnings = newest.sidecar(log)["warnings"].to_string();
    assert!(warnings.contains("test restore") && !warnings.contains("old news"), "{warnings}");
    newest.agrees(log);
    let older = Shown::of(&sandbox, "db-full-20240114T020000Z");
    assert!(older.disagreement("backup_catalog.csv").contains("12345 bytes"));
}
