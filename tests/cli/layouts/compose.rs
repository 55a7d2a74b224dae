//! A compose project with a folder per run: dumps with their listings and sums, base backups, code, images.

use super::{Asked, Shown, TS, asset, estate, local};
use crate::bytes::{custom_dump, gzip, rdb, sha256, tar};
use crate::program::Sandbox;

fn system() -> Sandbox {
    let sandbox = Sandbox::new();
    let config = estate(&[
        local("backup"),
        asset(
            "db",
            "postgresql",
            &[
                ("backup", "postgres/{time}/freeagentics_{time}.dump", "full", ""),
                ("backup", "postgres/basebackup/{time}/", "full", ""),
                ("backup", "postgres/wal/", "log", ""),
            ],
        ),
        asset("cache", "redis", &[("backup", "redis/{time}/dump.rdb", "full", "")]),
        asset("code", "code", &[("backup", "code/{time}/source_code_{time}.tar.gz", "full", "")]),
        asset("images", "images", &[("backup", "code/{time}/{image}_image_{time}.tar", "full", "")]),
        asset("users", "files", &[("backup", "user-data/{time}/", "full", "")]),
    ]);
    sandbox.write("relight.toml", config);
    let folder = format!("backup/postgres/{TS}");
    sandbox.write(&format!("{folder}/freeagentics_{TS}.dump"), custom_dump());
    let sums = format!("{}  /backup/postgres/{TS}/freeagentics_{TS}.dump\n", sha256(&custom_dump()));
    sandbox.write(&format!("{folder}/checksums.txt"), sums);
    let listing = ";\n; Archive created at 2024-01-15 02:00:01 UTC\n;     dbname: freeagentics\n;     TOC Entries: 9\n\
        ;     Format: CUSTOM\n;\n215; 1259 16385 TABLE public users postgres\n\
        3340; 0 16385 TABLE DATA public users postgres\n";
    sandbox.write(&format!("{folder}/backup_contents.txt"), listing);
    sandbox.write(&format!("backup/postgres/basebackup/{TS}/base.tar.gz"), gzip(&tar()));
    sandbox.write(&format!("backup/postgres/basebackup/{TS}/pg_wal.tar.gz"), gzip(&tar()));
    for name in ["000000010000000000000002", "000000010000000000000003.partial", "00000002.history"] {
        sandbox.write(&format!("backup/postgres/wal/{name}"), "wal");
    }
    sandbox.write("backup/postgres/wal/backup_label_20240115_030000.gz", gzip(b"Incremental backup 20240115_030000\n"));
    sandbox.write(&format!("backup/redis/{TS}/dump.rdb"), rdb());
    let info = "Mon Jan 15 02:00:00 UTC 2024\nredis_version:7.0.15\r\n(integer) 1234\n";
    sandbox.write(&format!("backup/redis/{TS}/backup_info.txt"), info);
    sandbox.write(&format!("backup/code/{TS}/source_code_20240115_020003.tar.gz"), gzip(&tar()));
    sandbox.write(&format!("backup/code/{TS}/api_image_20240115_020009.tar"), tar());
    sandbox.write(&format!("backup/code/{TS}/web_image_20240115_020011.tar"), tar());
    sandbox.write(&format!("backup/user-data/{TS}/uploads/a.png"), "png");
    sandbox.write(&format!("backup/user-data/{TS}/manifest.txt"), "Mon Jan 15 02:00:00 UTC 2024\n9\n4.0K\n");
    sandbox
}

#[test]
fn a_compose_project() {
    let sandbox = system();
    let asked = Asked::of(&sandbox);
    asked.nothing_is_left_over();
    assert_eq!(
        asked.ids(),
        [
            "cache-full-20240115T020000Z",
            "code-full-20240115T020003Z",
            "db-full-20240115T020000Z-dump",
            "db-full-20240115T020000Z-tree",
            "images-full-20240115T020009Z-api",
            "images-full-20240115T020011Z-web",
            "users-full-20240115T020000Z",
        ]
    );
    assert_eq!(asked.content("db-full-20240115T020000Z-dump"), "pg-custom");
    assert_eq!(asked.backup("db-full-20240115T020000Z-tree")["labels"]["layout"], "pg_basebackup");
    assert_eq!(asked.backup("code-full-20240115T020003Z")["labels"]["other-time-in-name"], TS);
    assert_eq!(asked.content("images-full-20240115T020009Z-api"), "tar");
    assert!(asked.rules("users").contains(&"sidecar-disagrees"), "{:?}", asked.rules("users"));
}

#[test]
fn the_files_beside_a_compose_projects_backups() {
    let sandbox = system();
    let dump = Shown::of(&sandbox, "db-full-20240115T020000Z-dump");
    dump.agrees("checksums.txt");
    assert_eq!(dump.sidecar("checksums.txt")["sha256"], sha256(&custom_dump()));
    assert_eq!(dump.fact("backup_contents.txt", "tables with data"), "1");
    let labelled = [&dump, &Shown::of(&sandbox, "db-full-20240115T020000Z-tree")]
        .into_iter()
        .any(|shown| shown.0["sidecars"].to_string().contains("backup_label_20240115_030000.gz"));
    assert!(labelled);
    let cache = Shown::of(&sandbox, "cache-full-20240115T020000Z");
    assert_eq!(
        (cache.fact("backup_info.txt", "redis_version"), cache.fact("backup_info.txt", "keys")),
        ("7.0.15", "1234")
    );
    let users = Shown::of(&sandbox, "users-full-20240115T020000Z");
    assert!(users.disagreement("manifest.txt").contains("it counts 9 files, 2 objects are there"));
}
