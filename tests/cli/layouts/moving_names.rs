//! An application whose scripts turn `latest` and `previous` round, and write texts of no fixed form.

use super::{Asked, Shown, TS, asset, estate, local};
use crate::bytes::{custom_dump, gzip};
use crate::program::Sandbox;

#[test]
fn moving_names_and_texts_of_no_fixed_form() {
    let sandbox = Sandbox::new();
    let sources = [
        ("disk", "crud_test_db_{time}.sql.gz", "full", ""),
        ("disk", "crud_test_db_{alias:latest|previous}.sql.gz", "full", ""),
    ];
    sandbox.write("relight.toml", estate(&[local("disk"), asset("db", "postgresql", &sources)]));
    let dump = gzip(&custom_dump());
    sandbox.write(&format!("disk/crud_test_db_{TS}.sql.gz"), &dump);
    sandbox.write("disk/crud_test_db_20240114_020000.sql.gz", custom_dump());
    sandbox.write("disk/crud_test_db_latest.sql.gz", &dump);
    sandbox.write("disk/crud_test_db_previous.sql.gz", custom_dump());
    sandbox.write("disk/backup_manifest.txt", "tool: scripts\nfiles=2\n");
    sandbox.write("disk/backup.log", format!("Mon Jan 15 02:10 UTC 2024 crud_test_db_{TS}.sql.gz 1.2G\n"));
    let report = format!(
        "Disaster recovery report\nBackup: crud_test_db_{TS}.sql.gz\nDuration: 14 minutes\nHealth check FAILED once\nStatus: success\n"
    );
    sandbox.write("disk/recovery_report_20240116_101500.txt", report);
    let asked = Asked::of(&sandbox);
    asked.nothing_is_left_over();
    assert_eq!(asked.ids(), ["db-full-20240114T020000Z", "db-full-20240115T020000Z"]);
    assert_eq!(asked.content("db-full-20240115T020000Z"), "pg-custom+gzip");
    assert_eq!(asked.content("db-full-20240114T020000Z"), "pg-custom");
    assert_eq!(asked.backup("db-full-20240115T020000Z")["labels"]["latest"], "disk: crud_test_db_latest.sql.gz");
    assert_eq!(asked.backup("db-full-20240114T020000Z")["labels"]["previous"], "disk: crud_test_db_previous.sql.gz");
    let shown = Shown::of(&sandbox, "db-full-20240115T020000Z");
    assert_eq!(shown.fact("backup_manifest.txt", "tool"), "scripts");
    assert!(shown.fact("backup.log", "line").contains("1.2G"));
    let report = "recovery_report_20240116_101500.txt";
    assert_eq!(shown.fact(report, "Duration"), "14 minutes");
    assert!(shown.sidecar(report)["warnings"].to_string().contains("FAILED once"));
    shown.agrees(report);
}
