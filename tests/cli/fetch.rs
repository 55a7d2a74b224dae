//! `relight fetch`: what lands, what never does, and how it goes on after a break.

use super::estate::{bucket, small};
use super::program::{Sandbox, json};
use super::proxy::{Fault, Proxy};
use super::s3::{S3Fixture, SECRET};
use crate::disks::Small;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const NEWEST: &str = "orders_20260102_020000.sql.gz";
const DUMP: &str = "base_20260102_020000.tar";
const RUN: &str = "run_20260102_020000/";

fn said(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What Relight has begun and not finished in a folder.
fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    found.filter(|path| path.to_str().unwrap().contains("/.relight-")).collect()
}

#[test]
fn a_backup_is_written_once_and_nothing_is_replaced() {
    let sandbox = small("");
    let stored = std::fs::read(sandbox.path().join("backups").join(NEWEST)).unwrap();
    let document = json(&sandbox.relight(&["fetch", "latest", "--to", "copy.gz", "--json"]).assert().code(1));
    assert_eq!((&document["schema"], &document["fetched"]["compared"]), (&"relight.fetch/1".into(), &false.into()));
    assert_eq!(std::fs::read(sandbox.path().join("copy.gz")).unwrap(), stored);
    let again = said(sandbox.relight(&["fetch", "latest", "--to", "copy.gz"]).assert().code(2).get_output());
    assert!(again.contains("copy.gz is there already") && again.contains("nothing is ever replaced"), "{again}");
    // A folder that is there is one to put it in; and a proof is what it can be compared with.
    sandbox.relight(&["verify", "latest", "--level", "L2"]).assert().code(3);
    std::fs::create_dir(sandbox.path().join("here")).unwrap();
    let text = said(sandbox.relight(&["fetch", "latest", "--to", "here"]).assert().code(0).get_output());
    assert!(text.contains("SHA-256 matches the proof of"), "{text}");
    assert_eq!(std::fs::read(sandbox.path().join("here").join(NEWEST)).unwrap(), stored);
    sandbox.relight(&["fetch", "latest", "--to", "nowhere/copy.gz"]).assert().code(2);
    assert_eq!(unfinished(sandbox.path()), unfinished(&sandbox.path().join("here")));
}

#[test]
fn wrong_bytes_never_get_the_name() {
    let sandbox = small("");
    sandbox.write(&format!("backups/{NEWEST}.sha256"), format!("{}  {NEWEST}\n", "0".repeat(64)));
    let text = said(sandbox.relight(&["fetch", "latest", "--to", "copy.gz"]).assert().code(2).get_output());
    assert!(text.contains("its SHA-256 is") && text.contains("not the bytes that were recorded"), "{text}");
    assert!(!sandbox.path().join("copy.gz").exists() && unfinished(sandbox.path()).is_empty());
}

#[test]
fn what_has_no_room_is_not_begun() {
    let sandbox = small("");
    sandbox.write(&format!("backups/{NEWEST}"), vec![7; 300_000]);
    std::fs::create_dir(sandbox.path().join("tight")).unwrap();
    let _disk = Small::at(&sandbox.path().join("tight"), "200k");
    let text = said(sandbox.relight(&["fetch", "latest", "--to", "tight"]).assert().code(2).get_output());
    assert!(text.contains("are free there") && text.contains("make room"), "{text}");
    assert!(unfinished(&sandbox.path().join("tight")).is_empty());
}

/// One object and one folder in a bucket, behind a line that can be broken.
struct Bucket {
    sandbox: Sandbox,
    s3: S3Fixture,
    line: Proxy,
}

/// Bytes of which no two pieces are alike.
fn noise(length: u32) -> Vec<u8> {
    (0..length / 4).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect()
}

impl Bucket {
    async fn with(size: u32) -> Self {
        Self::at(S3Fixture::start().await, size).await
    }

    async fn at(s3: S3Fixture, size: u32) -> Self {
        let line = Proxy::start(s3.server.address()).await;
        let sandbox = Sandbox::new();
        sandbox.write("relight.toml", bucket(&line.endpoint()));
        s3.put(DUMP, &noise(size));
        for (name, size) in [("a.bin", 70_000), ("deep/er/b.bin", 400_000), ("deep/empty", 0), ("z", 5)] {
            s3.put(&format!("{RUN}{name}"), &noise(size));
        }
        Self { sandbox, s3, line }
    }

    fn fetch(&self, asset: &str, to: &str) -> assert_cmd::Command {
        let mut command = self.sandbox.relight(&["fetch", "latest", "--asset", asset, "--to", to]);
        command.env("RELIGHT_TEST_SECRET", SECRET);
        command
    }

    /// One that goes on in the background, until it is ended.
    fn begin(&self, asset: &str, to: &str) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relight"));
        command.args(["fetch", "latest", "--asset", asset, "--to", to]).current_dir(self.sandbox.path());
        command.env("HOME", self.sandbox.path()).env("RELIGHT_TEST_SECRET", SECRET);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The line breaks after so many bytes of an object, and stays broken.
    fn break_in(&self, key: &str, bytes: usize) {
        // The scan's look at its head and the store's sums come before; both are shorter.
        self.line.next("GET", key, 3, Fault::CutAfter(bytes));
        self.line.always("GET", key, Fault::Drop);
    }

    fn same(&self, key: &str, path: &str) {
        assert!(
            std::fs::read(self.s3.file(key)).unwrap() == std::fs::read(self.sandbox.path().join(path)).unwrap(),
            "{path} is not {key}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_breaks_costs_a_new_attempt_and_no_byte_twice() {
    let bucket = Bucket::with(3_000_000).await;
    bucket.break_in(DUMP, 700_000);
    let text = said(bucket.fetch("db", "base.tar").assert().code(2).get_output());
    let parts = unfinished(bucket.sandbox.path());
    assert!(text.contains("fetch again: it goes on from there") && parts.len() == 1, "{text} {parts:?}");
    assert!(!bucket.sandbox.path().join("base.tar").exists());
    let came = std::fs::metadata(&parts[0]).unwrap().len();
    assert!(came >= 500_000, "{came}");
    bucket.line.reset();
    let text = said(bucket.fetch("db", "base.tar").assert().get_output());
    assert!(text.contains("had come in an earlier attempt"), "{text}");
    bucket.same(DUMP, "base.tar");
    assert!(unfinished(bucket.sandbox.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_keeps_of_an_object_is_compared_and_bytes_that_changed_under_it_are_not_taken() {
    let bucket = Bucket::at(S3Fixture::with_sums().await, 30_000_004).await;
    let text = said(bucket.fetch("db", "base.tar").assert().code(0).get_output());
    assert!(text.contains("CRC-64/NVME matches the store's own") && !text.contains("sha256"), "{text}");
    bucket.same(DUMP, "base.tar");

    let file = std::fs::File::options().write(true).open(bucket.s3.file(DUMP)).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"rotten", 20_000_000).unwrap();
    file.set_modified(written).unwrap();
    let text = said(bucket.fetch("db", "again.tar").assert().code(2).get_output());
    assert!(text.contains("but the store itself keeps") && text.contains("not the bytes that were recorded"), "{text}");
    assert!(!bucket.sandbox.path().join("again.tar").exists() && unfinished(bucket.sandbox.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_object_under_the_same_name_is_not_mixed_with_the_first() {
    let bucket = Bucket::with(3_000_000).await;
    bucket.break_in(DUMP, 700_000);
    bucket.fetch("db", "base.tar").assert().code(2);
    bucket.line.reset();
    let other: Vec<u8> = noise(3_000_000).into_iter().rev().collect();
    bucket.s3.put(DUMP, &other);
    let text = said(bucket.fetch("db", "base.tar").assert().get_output());
    assert!(!text.contains("earlier attempt"), "{text}");
    bucket.same(DUMP, "base.tar");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_killed_goes_on_where_it_was() {
    let bucket = Bucket::with(20_000_000).await;
    bucket.line.always("GET", DUMP, Fault::Trickle(64 << 10, Duration::from_millis(20)));
    let mut child = bucket.begin("db", "base.tar");
    let (begun, long) = (Instant::now(), Duration::from_mins(1));
    let came = || unfinished(bucket.sandbox.path()).first().map_or(0, |part| std::fs::metadata(part).unwrap().len());
    while came() < 1_000_000 {
        assert!(begun.elapsed() < long && child.try_wait().unwrap().is_none(), "nothing comes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    bucket.line.reset();
    let text = said(bucket.fetch("db", "base.tar").assert().get_output());
    assert!(text.contains("had come in an earlier attempt"), "{text}");
    bucket.same(DUMP, "base.tar");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_there_whole_or_not_at_all() {
    let bucket = Bucket::with(1000).await;
    bucket.break_in("deep/er/b.bin", 100_000);
    let text = said(bucket.fetch("data", "run").assert().code(2).get_output());
    assert!(text.contains("fetch again: it goes on from there"), "{text}");
    assert!(!bucket.sandbox.path().join("run").exists());
    bucket.line.reset();
    let text = said(bucket.fetch("data", "run").assert().get_output());
    assert!(text.contains("4 files") && text.contains("had come in an earlier attempt"), "{text}");
    for name in ["a.bin", "deep/er/b.bin", "deep/empty", "z"] {
        bucket.same(&format!("{RUN}{name}"), &format!("run/{name}"));
    }
    assert!(unfinished(bucket.sandbox.path()).is_empty());
}
