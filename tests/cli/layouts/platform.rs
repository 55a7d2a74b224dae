//! A platform with everything in one bucket of a real S3 server: physical backups with their logs, caches
//! by run, the cluster's own state.

use super::{Asked, Shown, TS, asset, estate};
use crate::bytes::{aof, gzip, rdb, tar};
use crate::program::Sandbox;
use crate::s3::{BUCKET, KEY, S3Fixture};

#[expect(clippy::too_many_lines, reason = "a layout in one piece")]
async fn system() -> (Sandbox, S3Fixture) {
    let s3 = S3Fixture::start().await;
    let sandbox = Sandbox::new();
    let store = format!(
        "[[stores]]\nid = \"s3\"\ntype = \"s3\"\nbucket = \"{BUCKET}\"\nregion = \"us-east-1\"\nendpoint = \"{}\"\n\
         force_path_style = true\naccess_key_id = \"{KEY}\"\nsecret_access_key = {{ env = \"RELIGHT_TEST_SECRET\" }}\n\n",
        s3.server.endpoint()
    );
    let required = "required = [\"base.tar.*\", \"metadata.json\"]";
    let config = estate(&[
        store,
        asset(
            "db",
            "postgresql",
            &[
                ("s3", "full/full_{time}/", "full", required),
                ("s3", "incremental/incremental_{time}/", "incremental", ""),
                ("s3", "wal/", "log", ""),
            ],
        ),
        asset(
            "cache",
            "redis",
            &[
                ("s3", "{time}/dump.rdb.gz", "full", ""),
                ("s3", "{time}/appendonly.aof.gz", "full", ""),
                ("s3", "local/redis_{time}.rdb.gz", "full", ""),
                ("s3", "local/redis_{time}.aof.gz", "full", ""),
            ],
        ),
        asset(
            "cluster",
            "config",
            &[
                ("s3", "kubernetes/k8s_{time}.tar.gz", "full", ""),
                ("s3", "helm/helm_{time}.tar.gz", "full", ""),
                ("s3", "argocd/argocd_{time}.tar.gz", "full", ""),
            ],
        ),
    ]);
    sandbox.write("relight.toml", config);
    let mut size = 0;
    for name in ["base.tar.gz", "pg_wal.tar.gz"] {
        size += gzip(&tar()).len();
        s3.put(&format!("full/full_{TS}/{name}"), &gzip(&tar()));
    }
    let full = format!(
        r#"{{"backup_type": "full", "timestamp": "{TS}", "database": "platform_production", "size_bytes": {size},
        "duration_seconds": 2700, "s3_path": "s3://platform-db-backups/full/full_{TS}/",
        "recovery_target_time": "2024-01-15 02:45:00 UTC"}}"#
    );
    s3.put(&format!("full/full_{TS}/metadata.json"), full.as_bytes());
    let next = "incremental/incremental_20240115_080000";
    let incremental = format!(
        r#"{{"backup_type": "incremental", "timestamp": "20240115_080000", "database": "platform_production",
        "base_backup": "full_{TS}", "size_bytes": 6, "duration_seconds": 600, "s3_path": "s3://platform-db-backups/{next}/"}}"#
    );
    s3.put(&format!("{next}/metadata.json"), incremental.as_bytes());
    s3.put(&format!("{next}/000000010000000000000004.gz"), &gzip(b"wal"));
    s3.put(&format!("{next}/000000010000000000000005.gz.partial"), &gzip(b"w"));
    let log =
        format!("[2024-01-15 02:00:00] INFO: Starting full backup\n[2024-01-15 02:45:00] INFO: Uploaded full_{TS}\n");
    s3.put("full/backup.log", log.as_bytes());
    for name in ["000000010000000000000002", "000000010000000000000003", "00000002.history"] {
        s3.put(&format!("wal/{name}"), b"wal");
    }
    s3.put(&format!("{TS}/dump.rdb.gz"), &gzip(&rdb()));
    s3.put(&format!("{TS}/appendonly.aof.gz"), &gzip(&aof()));
    s3.put("local/redis_20240114_030000.rdb.gz", &gzip(&rdb()));
    s3.put("local/redis_20240114_030000.aof.gz", &gzip(&aof()));
    for name in ["kubernetes/k8s", "helm/helm", "argocd/argocd"] {
        s3.put(&format!("{name}_{TS}.tar.gz"), &gzip(&tar()));
    }
    (sandbox, s3)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_in_a_bucket() {
    let (sandbox, s3) = system().await;
    let asked = Asked::of(&sandbox);
    asked.nothing_is_left_over();
    assert_eq!(
        asked.ids(),
        [
            "cache-full-20240114T030000Z-redis-aof",
            "cache-full-20240114T030000Z-redis-rdb",
            "cache-full-20240115T020000Z-appendonly",
            "cache-full-20240115T020000Z-dump",
            "cluster-full-20240115T020000Z-argocd",
            "cluster-full-20240115T020000Z-helm",
            "cluster-full-20240115T020000Z-k8s",
            "db-full-20240115T020000Z",
            "db-incremental-20240115T080000Z",
        ]
    );
    let full = asked.backup("db-full-20240115T020000Z");
    assert_eq!((&full["complete"], &full["copies"][0]["objects"]), (&true.into(), &3.into()));
    assert_eq!(full["labels"]["layout"], "pg_basebackup");
    let chain = &asked.backup("db-incremental-20240115T080000Z")["chain"];
    assert_eq!(chain["base"], "db-full-20240115T020000Z");
    assert_eq!(asked.content("cache-full-20240115T020000Z-dump"), "rdb+gzip");
    assert_eq!(asked.content("cache-full-20240115T020000Z-appendonly"), "aof+gzip");
    assert_eq!(asked.content("cluster-full-20240115T020000Z-k8s"), "tar+gzip");
    let shown = Shown::of(&sandbox, "db-full-20240115T020000Z");
    shown.agrees("metadata.json");
    assert_eq!(shown.fact("metadata.json", "database"), "platform_production");
    assert!(shown.fact("backup.log", "line").contains("INFO: Uploaded"));
    let incremental = Shown::of(&sandbox, "db-incremental-20240115T080000Z");
    assert!(!incremental.disagreement("metadata.json").contains("base"));
    s3.server.stop().await;
}
