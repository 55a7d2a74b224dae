//! What the demo forges must be what the tools write: they are asked to read it.

use chrono::{DateTime, Utc};
use relight::demo::assets::{self, orders::Shop};
use relight::demo::cluster::Cluster;
use relight::demo::forge::{archive, base, custom, plain, rdb, wal};
use relight::demo::ground::Ground;
use relight::demo::programs;
use relight::model::wal::Segment;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-21T04:00:00Z").unwrap().to_utc()
}

fn rows(cluster: &Cluster, pass: &Path, database: &str) -> String {
    let output = Command::new(cluster.bin().join("psql"))
        .args(["-h", "127.0.0.1", "-p", &cluster.port().to_string(), "-U", "relight", "-w", "-d", database, "-XAtc"])
        .arg(
            "select (select count(*) from customers), (select count(*) from orders), (select count(*) from order_lines), \
             (select count(*) from payments), (select md5(string_agg(p::text, ',' order by id)) from payments p), \
             (select count(*) from pg_constraint where contype in ('p','f')), (select count(*) from open_orders)",
        )
        .env("PGPASSFILE", pass)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn postgresql_restores_both_kinds_of_dump_to_the_same_rows() {
    let bin = programs::postgresql().expect("PostgreSQL's programs");
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&bin, dir.path()).unwrap();
    let pass = dir.path().join("postgres/pgpass");
    cluster.sql("postgres", "create database a;\ncreate database b;").unwrap();
    let shop = Shop::until(now());
    let schema = shop.grown(0.83);
    cluster.sql("a", &plain::dump(&schema)).unwrap();

    let mut restore = Command::new(bin.join("pg_restore"))
        .args(["-h", "127.0.0.1", "-p", &cluster.port().to_string(), "-U", "relight", "-w", "-d", "b"])
        .arg("--exit-on-error")
        .env("PGPASSFILE", &pass)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    restore.stdin.take().unwrap().write_all(&custom::dump(&schema, now()).unwrap()).unwrap();
    assert!(restore.wait().unwrap().success());

    let (a, b) = (rows(&cluster, &pass, "a"), rows(&cluster, &pass, "b"));
    assert_eq!(a, b);
    assert!(a.contains(&format!("|{}|", 1600 * 83 / 100)), "{a}");

    let real = cluster.dump("b").unwrap();
    let ours = custom::dump(&schema, now()).unwrap();
    let ratio = ours.len() as f64 / real.len() as f64;
    assert!((0.7..1.3).contains(&ratio), "forged {} bytes, pg_dump {}", ours.len(), real.len());
    drop(cluster);
}

#[test]
fn pg_restore_reads_offsets_and_tables_in_parallel() {
    let bin = programs::postgresql().expect("PostgreSQL's programs");
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&bin, dir.path()).unwrap();
    cluster.sql("postgres", "create database c;").unwrap();
    let file = dir.path().join("c.dump");
    std::fs::write(&file, custom::dump(&Shop::until(now()).grown(1.0), now()).unwrap()).unwrap();
    let restore = Command::new(bin.join("pg_restore"))
        .args(["-h", "127.0.0.1", "-p", &cluster.port().to_string(), "-U", "relight", "-w", "-d", "c", "-j", "3"])
        .arg(&file)
        .env("PGPASSFILE", dir.path().join("postgres/pgpass"))
        .output()
        .unwrap();
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    assert!(restore.stderr.is_empty(), "{}", String::from_utf8_lossy(&restore.stderr));
}

#[test]
fn log_segments_decode_to_sixteen_mebibytes_with_their_own_address() {
    let segment = Segment { timeline: 3, number: 0xa1_30 };
    let bytes = wal::Press::new(42).unwrap().segment(segment).unwrap();
    let mut out = Vec::new();
    zstd::Decoder::new(bytes.as_slice()).unwrap().read_to_end(&mut out).unwrap();
    assert_eq!(out.len() as u64, wal::SEGMENT_SIZE);
    assert_eq!(u32::from_le_bytes(out[4..8].try_into().unwrap()), 3);
    assert_eq!(u64::from_le_bytes(out[8..16].try_into().unwrap()), segment.number * wal::SEGMENT_SIZE);
    assert_eq!(wal::position(segment, 0x28), "A1/30000028");
}

#[test]
fn the_rdb_ends_in_the_checksum_of_what_stands_before() {
    let keys = [rdb::Key { name: "k".repeat(70), value: "v".repeat(20_000), expires: Some(now()) }];
    let bytes = rdb::file(&keys, now());
    let (body, sum) = bytes.split_at(bytes.len() - 8);
    assert_eq!(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Redis, body).to_le_bytes(), sum);
    assert!(body.starts_with(b"REDIS0010\xfa\x09redis-ver\x067.0.15"));
}

#[test]
fn the_manifest_of_a_base_backup_describes_what_its_archive_holds() {
    let files =
        base::folder(&[("PG_VERSION".into(), b"15\n".to_vec())], "x", Segment { timeline: 1, number: 9 }, now());
    let files = files.unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&files[0].1).unwrap();
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(files[1].1.as_slice()));
    for (entry, stated) in tar.entries().unwrap().zip(manifest["Files"].as_array().unwrap()) {
        let mut entry = entry.unwrap();
        assert_eq!(entry.path().unwrap().to_str(), stated["Path"].as_str());
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let sum = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes));
        assert_eq!(Some(sum.as_str()), stated["Checksum"].as_str());
    }
    assert!(archive::gzip(b"").is_ok());
}

#[test]
fn the_whole_history_is_laid_out_in_a_moment_and_is_the_same_every_time() {
    let lay = |dir: &Path| {
        let begun = std::time::Instant::now();
        let ground = Ground {
            now: now(),
            local: dir.join("local"),
            bucket: dir.join("bucket"),
            live: dir.join("live"),
            clean: false,
            server: false,
            gpg: None,
        };
        for asset in assets::ALL {
            let one = std::time::Instant::now();
            (asset.stock)(&ground).unwrap();
            eprintln!("{}: {:?}", asset.id, one.elapsed());
        }
        begun.elapsed()
    };
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let took = lay(a.path());
    lay(b.path());
    eprintln!("all: {took:?}");
    let same = Command::new("diff").arg("-r").args([a.path(), b.path()]).status().unwrap();
    assert!(same.success());
}
