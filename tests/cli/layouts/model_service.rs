//! A model service: dumps gzipped twice over, settings, models with a manifest per run, the log archive.

use super::{Asked, Shown, TS, asset, estate, local};
use crate::bytes::{custom_dump, gzip, sha256, tar};
use crate::program::Sandbox;

#[expect(clippy::too_many_lines, reason = "a layout in one piece")]
fn system() -> Sandbox {
    let sandbox = Sandbox::new();
    let config = estate(&[
        local("backup"),
        local("models"),
        asset(
            "db",
            "postgresql",
            &[
                ("backup", "postgres/daily/pynomaly_backup_{time}.sql.gz", "full", ""),
                ("backup", "postgres/daily/pynomaly_backup_{time}.sql", "full", ""),
                ("backup", "postgres/wal/", "log", ""),
            ],
        ),
        asset("settings", "config", &[("backup", "config/config_backup_{time}.tar.gz", "full", "")]),
        asset("models", "models", &[("models", "models/{time}/{id}/", "full", "")]),
    ]);
    sandbox.write("relight.toml", config);
    let dump = gzip(&custom_dump());
    sandbox.write(&format!("backup/postgres/daily/pynomaly_backup_{TS}.sql.gz"), &dump);
    sandbox.write("backup/postgres/daily/pynomaly_backup_20240114_020000.sql", custom_dump());
    sandbox.write(
        "backup/postgres/backup.log",
        format!("Mon Jan 15 02:10:00 UTC 2024: pynomaly_backup_{TS}.sql.gz 1.2G\n"),
    );
    sandbox.write(
        "backup/postgres/daily/backup_metadata.csv",
        format!(
            "id,backup_type,backup_file,backup_size,start_time,end_time,status,checksum,wal_start_lsn,wal_end_lsn\n\
             1,full,pynomaly_backup_20240114_020000.sql,,2024-01-14 02:00:00+00,,started,,0/2000028,\n\
             2,full,pynomaly_backup_{TS}.sql.gz,{},2024-01-15 02:00:00+00,2024-01-15 02:10:00+00,completed,{},0/3000028,0/3000100\n",
            dump.len(),
            sha256(&dump)
        ),
    );
    for name in [
        "000000010000000000000003",
        "000000010000000000000004",
        "000000010000000000000003.00000028.backup",
        "00000002.history",
    ] {
        sandbox.write(&format!("backup/postgres/wal/{name}"), "wal");
    }
    sandbox.write(&format!("backup/config/config_backup_{TS}.tar.gz"), gzip(&tar()));
    let file = |name: &str| {
        let sum = sha256(b"weights");
        format!(
            r#"{{"name": "x", "relative_path": "{name}", "size": 7, "checksum": "{sum}", "modified": 1705280000.25}}"#
        )
    };
    for name in ["model.pkl", "data/vocab.json"] {
        sandbox.write(&format!("models/models/{TS}/fraud/{name}"), "weights");
    }
    sandbox.write(
        &format!("models/manifests/manifest_{TS}.json"),
        format!(
            r#"{{"backup_timestamp": "2024-01-15T02:00:00.123", "registry_path": "/data/models", "models": [
            {{"model_id": "fraud", "path": "/data/models/fraud", "total_size": 14, "files": [{}, {}]}}]}}"#,
            file("model.pkl"),
            file("data/vocab.json")
        ),
    );
    sandbox
}

#[test]
fn a_model_service() {
    let sandbox = system();
    let asked = Asked::of(&sandbox);
    asked.nothing_is_left_over();
    assert_eq!(
        asked.ids(),
        [
            "db-full-20240114T020000Z",
            "db-full-20240115T020000Z",
            "models-full-20240115T020000Z-fraud",
            "settings-full-20240115T020000Z",
        ]
    );
    assert_eq!(asked.content("db-full-20240115T020000Z"), "pg-custom+gzip");
    assert_eq!(asked.content("db-full-20240114T020000Z"), "pg-custom");
    assert_eq!(asked.content("settings-full-20240115T020000Z"), "tar+gzip");
    let model = asked.backup("models-full-20240115T020000Z-fraud");
    assert_eq!((&model["complete"], &model["labels"]["id"]), (&true.into(), &"fraud".into()));
}

#[test]
fn the_manifest_the_log_and_the_table_of_a_model_service() {
    let sandbox = system();
    let model = Shown::of(&sandbox, "models-full-20240115T020000Z-fraud");
    let manifest = format!("manifest_{TS}.json");
    model.agrees(&manifest);
    assert_eq!(model.fact(&manifest, "files"), "2");
    let dump = Shown::of(&sandbox, "db-full-20240115T020000Z");
    assert!(dump.fact("backup.log", "line").contains("1.2G"));
    dump.agrees("backup_metadata.csv");
    assert_eq!(dump.fact("backup_metadata.csv", "wal_start_lsn"), "0/3000028");
    assert_eq!(dump.sidecar("backup_metadata.csv")["sha256"], sha256(&gzip(&custom_dump())));
    let open = Shown::of(&sandbox, "db-full-20240114T020000Z");
    assert!(open.sidecar("backup_metadata.csv")["warnings"].to_string().contains("never closed"));
}
