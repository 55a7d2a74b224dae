//! Backups that are folders: real base backups, model trees, plain trees.

use crate::estate::{Bench, done, failed, sidecar, unknown};
use crate::postgres::Cluster;
use relight::model::proof::{Level, ProofOutcome};
use serde_json::json;
use sha2::Digest;
use std::path::Path;
use std::sync::OnceLock;

type Files = Vec<(String, Vec<u8>)>;

const ID: &str = "orders-full-20261120T020000Z";
const TAKEN: &str = "2026-11-20T02:00:00Z";

/// Base backups as tar, gzipped tar and plain folder, the last with SHA-256 sums.
fn base_backups() -> &'static [(&'static str, Files)] {
    static MADE: OnceLock<Vec<(&'static str, Files)>> = OnceLock::new();
    MADE.get_or_init(|| {
        let cluster = Cluster::start();
        cluster.sql("postgres", "CREATE TABLE t AS SELECT g FROM generate_series(1, 1000) g");
        let take = |name: &'static str, args: &[&str]| {
            let folder = cluster.folder("base").join(name);
            let ended = cluster
                .program("pg_basebackup")
                .args(["--checkpoint=fast", "--wal-method=stream", "--no-sync", "-D"])
                .arg(&folder)
                .args(args)
                .output()
                .unwrap();
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
            let mut files = Files::new();
            gather(&folder, &folder, &mut files);
            (name, files)
        };
        vec![
            take("tar.gz", &["--format=tar", "--gzip"]),
            take("tar", &["--format=tar"]),
            take("plain", &["--format=plain", "--manifest-checksums=SHA256"]),
        ]
    })
}

fn gather(root: &Path, folder: &Path, into: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(root, &path, into);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            into.push((name, std::fs::read(path).unwrap()));
        }
    }
}

fn bench_with(prefix: &str, files: &[(String, Vec<u8>)]) -> Bench {
    let mut bench = Bench::new();
    let copy = Bench::put_tree(&bench.near, prefix, files);
    bench.add(TAKEN, vec![copy]);
    bench
}

#[tokio::test]
async fn base_backups_agree_with_their_manifest_file_by_file() {
    for (name, files) in base_backups() {
        let bench = bench_with("full/full_20261120/", files);
        let output = done(bench.verify(ID, None).await);
        assert_eq!(output["level"], "L4", "{name}: {}", output["detail"]);
        let (listed, agreed) = (&output["facts"]["listed_files"], &output["facts"]["agreed_files"]);
        let [listed, agreed] = [listed, agreed].map(|n| n.as_str().unwrap().parse::<u64>().unwrap());
        assert!(agreed > 900 && agreed <= listed && listed - agreed < 5, "{name}: {agreed} of {listed}");
        let source = done(bench.resolve("latest-proven").await);
        assert_eq!((source["form"].as_str(), source["objects"].as_u64()), (Some("tree"), Some(files.len() as u64)));
    }
}

#[tokio::test]
async fn a_changed_missing_or_cut_file_of_a_base_backup_is_named() {
    let (_, plain) = &base_backups()[2];
    let control = plain.iter().position(|(name, _)| name == "global/pg_control").unwrap();
    let mut bent = plain.clone();
    bent[control].1[100] ^= 1;
    let failure = failed(bench_with("b/", &bent).verify(ID, None).await);
    assert!(failure.what.contains("global/pg_control does not have the checksum"), "{}", failure.what);
    let mut less = plain.clone();
    less.remove(control);
    let failure = failed(bench_with("b/", &less).verify(ID, None).await);
    assert!(failure.what.contains("global/pg_control is missing"), "{}", failure.what);

    for (_, files) in &base_backups()[..2] {
        let base = files.iter().position(|(name, _)| name.starts_with("base.tar")).unwrap();
        let length = files[base].1.len();
        for (at, cut) in [(length / 2, false), (length / 2, true), (length - 600, true)] {
            let mut bad = files.clone();
            if cut {
                bad[base].1.truncate(at);
            } else {
                bad[base].1[at] ^= 4;
            }
            let bench = bench_with("b/", &bad);
            failed(bench.verify(ID, None).await);
            assert_eq!(bench.proofs().records[0].outcome, ProofOutcome::Failed);
        }
        let manifest = files.iter().position(|(name, _)| name == "backup_manifest").unwrap();
        let mut bad = files.clone();
        bad[manifest].1[500] ^= 1;
        failed(bench_with("b/", &bad).verify(ID, None).await);
    }
}

fn sum(bytes: &[u8]) -> String {
    hex::encode(sha2::Sha256::digest(bytes))
}

#[tokio::test]
async fn model_trees_are_held_to_their_manifest_with_nothing_missing_and_nothing_besides() {
    let files: Files = vec![
        ("fraud/model.bin".to_owned(), vec![1; 70_000]),
        ("fraud/config/labels.txt".to_owned(), b"a\nb\n".to_vec()),
    ];
    let manifest = |labels: &[u8]| {
        let file =
            |place: &str, bytes: &[u8]| json!({ "relative_path": place, "size": bytes.len(), "checksum": sum(bytes) });
        let files = [file("model.bin", &files[0].1), file("config/labels.txt", labels)];
        json!({ "models": [{ "model_id": "fraud", "files": files }] }).to_string().into_bytes()
    };
    for (prefix, cut) in [("models/20261120/", 0), ("models/20261120/fraud/", "fraud/".len())] {
        let stored: Files = files.iter().map(|(name, bytes)| (name[cut..].to_owned(), bytes.clone())).collect();
        let held = |labels: &[u8], more: &[(&str, &[u8])]| {
            let mut stored = stored.clone();
            stored.extend(more.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())));
            let mut bench = bench_with(prefix, &stored);
            bench.catalog.backups[0].sidecars.push(sidecar("manifest_20261120.json", None, Vec::new()));
            let at = bench.catalog.backups[0].sidecars[0].path.clone();
            Bench::put(&bench.near, &at, &manifest(labels));
            bench
        };
        assert_eq!(done(held(b"a\nb\n", &[]).verify(ID, None).await)["level"], "L4");
        assert!(
            failed(held(b"a\nc\n", &[]).verify(ID, None).await).what.contains("labels.txt does not have the checksum")
        );
        assert!(failed(held(b"a\n", &[]).verify(ID, None).await).what.contains("4 bytes, 2 are listed"));
        assert!(
            failed(held(b"a\nb\n", &[("more.bin", b"x")]).verify(ID, None).await)
                .what
                .contains("more.bin is not listed")
        );
    }
}

/// What a scan keeps of a manifest is a sample; the proof reads all of it.
#[tokio::test]
async fn every_file_of_a_large_registry_is_held_to_its_manifest() {
    let files: Files = (0..300).map(|n| (format!("m/{n:03}.bin"), format!("weights {n}").into_bytes())).collect();
    let listed: Vec<_> = files
        .iter()
        .map(|(name, bytes)| json!({ "relative_path": &name[2..], "size": bytes.len(), "checksum": sum(bytes) }))
        .collect();
    let manifest = json!({ "models": [{ "model_id": "m", "files": listed }] }).to_string().into_bytes();
    for (changed, at) in [(false, 0), (true, 5), (true, 299)] {
        let mut stored = files.clone();
        if changed {
            stored[at].1[0] ^= 1;
        }
        let mut bench = bench_with("models/20261120/", &stored);
        bench.catalog.backups[0].sidecars.push(sidecar("manifest_20261120.json", None, Vec::new()));
        Bench::put(&bench.near, "manifest_20261120.json", &manifest);
        let outcome = bench.verify(ID, None).await;
        if changed {
            assert!(failed(outcome).what.contains(&format!("{at:03}.bin does not have the checksum")));
        } else {
            assert_eq!((&done(outcome)["level"], bench.proofs().records.len()), (&"L4".into(), 1));
        }
    }
}

#[tokio::test]
async fn sums_beside_the_files_are_used() {
    let dump = b"words".to_vec();
    let sums = format!("{}  /backup/postgres/20261120/data.bin\n", sum(&dump)).into_bytes();
    let files = vec![("data.bin".to_owned(), dump), ("checksums.txt".to_owned(), sums)];
    assert_eq!(done(bench_with("t/", &files).verify(ID, None).await)["level"], "L4");
    let mut bad = files.clone();
    bad[0].1 = b"wordz".to_vec();
    failed(bench_with("t/", &bad).verify(ID, None).await);
}

#[tokio::test]
async fn a_tree_without_a_manifest_is_read_and_promises_no_more() {
    let gz = crate::artefacts::gzip(b"some words\n");
    let files = vec![
        ("a.txt.gz".to_owned(), gz.clone()),
        ("b.txt".to_owned(), b"plain".to_vec()),
        ("empty".to_owned(), vec![]),
    ];
    let bench = bench_with("t/", &files);
    let l3 = done(bench.run("backup.verify", json!({ "backup": ID, "level": "L3" })).await);
    assert!(l3["detail"].as_str().unwrap().contains("no manifest"), "{}", l3["detail"]);
    unknown(bench.verify(ID, None).await);
    assert_eq!(bench.proofs().records[1].level, Level::L3);
    let mut bad = files.clone();
    bad[0].1.truncate(gz.len() - 3);
    assert!(failed(bench_with("t/", &bad).verify(ID, None).await).what.contains("a.txt.gz"));
    let mut grown = bench_with("t/", &files);
    grown.catalog.backups[0].copies[0].size_bytes += 1;
    assert!(unknown(grown.verify(ID, None).await).what.contains("were known"));
}
