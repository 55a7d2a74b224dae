//! `backup.resolve` and `backup.verify` over stores that answer, lie, break off and change.

use crate::artefacts::artefacts;
use crate::estate::{Bench, done, failed, sidecar, unknown};
use relight::model::proof::{Level, ProofOutcome};
use relight::model::task::{CancelReason, TaskOutcome};
use relight::stores::wrap::{Fault, Operation};
use relight::stores::{StoreErrorKind, Thaw};
use serde_json::{Value, json};
use sha2::Digest;

const OLD: &str = "2026-11-19T02:00:00Z";
const NEW: &str = "2026-11-20T02:00:00Z";
const OLD_ID: &str = "orders-full-20261119T020000Z";
const NEW_ID: &str = "orders-full-20261120T020000Z";

/// Two backups: a custom dump and a newer gzipped script, each in both stores.
fn bench() -> Bench {
    let mut bench = Bench::new();
    for (taken, name) in [(OLD, "custom"), (NEW, "plain.gz")] {
        let bytes = &artefacts().dump(name).bytes;
        let copies = vec![Bench::put(&bench.near, name, bytes), Bench::put(&bench.far, name, bytes)];
        bench.add(taken, copies);
    }
    bench
}

#[tokio::test]
async fn a_good_copy_is_proven_recorded_and_found_as_proven() {
    let bench = bench();
    let refused = failed(bench.resolve("latest-proven").await);
    assert!(refused.next.contains("relight verify"), "{refused:?}");
    let output = done(bench.verify(OLD_ID, None).await);
    assert_eq!((output["level"].as_str(), output["outcome"].as_str()), (Some("L4"), Some("passed")));
    let proofs = bench.proofs();
    let record = &proofs.records[0];
    assert_eq!((record.level, record.outcome, record.store.as_str()), (Level::L4, ProofOutcome::Passed, "near"));
    let sha256 = hex::encode(sha2::Sha256::digest(&artefacts().dump("custom").bytes));
    assert_eq!(record.sha256.as_ref(), Some(&sha256));

    let source = done(bench.resolve("latest-proven").await);
    assert_eq!((source["backup"].as_str(), source["store"].as_str()), (Some(OLD_ID), Some("near")));
    assert_eq!((source["form"].as_str(), source["sha256"].as_str()), (Some("pg-custom"), Some(sha256.as_str())));
    assert_eq!(source["proof"]["level"], "L4");
    assert_eq!(source["dump"]["database"], "shop");
    let tables = source["dump"]["tables"].as_array().unwrap();
    let orders = tables.iter().find(|t| t["name"] == "orders").unwrap();
    assert_eq!(orders["rows"], artefacts().rows["public.orders"]);
    assert_eq!(source["warnings"].as_array().unwrap().len(), 1, "{}", source["warnings"]);
    // The output is the input of the next step.
    let again = done(bench.run("backup.verify", json!({ "source": Value::Object(source), "level": "L4" })).await);
    assert!(again["detail"].as_str().unwrap().contains("SHA-256 matches the proof of"), "{}", again["detail"]);
}

#[tokio::test]
async fn a_young_proof_is_believed_of_the_very_same_bytes_only() {
    let bench = bench();
    done(bench.verify(OLD_ID, None).await);
    let source = Value::Object(done(bench.resolve("latest-proven").await));
    let proofs = || bench.proofs().records.len();
    let verify = |source: &Value, believe: &str| {
        let input = json!({ "source": source, "level": "L4", "believe": believe });
        bench.run("backup.verify", input)
    };
    let before = proofs();
    assert_eq!(done(verify(&source, "10000d").await)["outcome"], "passed");
    assert_eq!(proofs(), before, "nothing was read again");
    let mut other = source.clone();
    other["sha256"] = Value::Null;
    done(verify(&other, "10000d").await);
    assert_eq!(proofs(), before + 1, "a load that is held to no sum needs its own proof");
    done(verify(&source, "0s").await);
    assert_eq!(proofs(), before + 2, "no proof is young enough");
    Bench::put(
        &bench.near,
        source["path"].as_str().unwrap(),
        &vec![0; source["size_bytes"].as_u64().unwrap() as usize],
    );
    let failure = unknown(verify(&source, "10000d").await);
    assert!(failure.what.contains("no longer the object that was chosen"), "{}", failure.what);
}

#[tokio::test]
async fn latest_is_the_newest_and_says_what_it_holds() {
    let bench = bench();
    let source = done(bench.resolve("latest").await);
    assert_eq!((source["backup"].as_str(), source["form"].as_str()), (Some(NEW_ID), Some("plain-sql+gzip")));
    assert_eq!(source["pin"]["size"], artefacts().dump("plain.gz").bytes.len());
    assert_eq!(source["proof"], Value::Null);
    let by_prefix = done(bench.resolve("full-20261119").await);
    assert_eq!(by_prefix["backup"].as_str(), Some(OLD_ID));
    assert!(failed(bench.resolve("full-2026").await).what.contains("fits 2 backups"));
    assert!(failed(bench.resolve("nonsense").await).what.contains("nonsense"));
}

#[tokio::test]
async fn a_bad_copy_is_failed_with_place_and_cause_and_passed_over_afterwards() {
    let mut bench = bench();
    let bytes = &artefacts().dump("plain.gz").bytes;
    let cut = Bench::put(&bench.near, "cut", &bytes[..bytes.len() / 2]);
    let whole = Bench::put(&bench.far, "cut", bytes);
    bench.add("2026-11-21T02:00:00Z", vec![cut, whole]);
    let newest = "orders-full-20261121T020000Z";
    let failure = failed(bench.verify(newest, Some("near")).await);
    assert!(failure.what.contains("the content ends in the middle of the gzip stream (at byte"), "{}", failure.what);
    let record = bench.proofs().records[0].clone();
    assert_eq!((record.outcome, record.level), (ProofOutcome::Failed, Level::L1));
    assert!(record.facts["bad_at_byte"].parse::<u64>().unwrap() > 0);
    // The other copy is still good.
    let explicit = done(bench.resolve(newest).await);
    assert_eq!(explicit["store"], "far");
    assert!(explicit["warnings"].to_string().contains("failed its proof"), "{}", explicit["warnings"]);
    let latest = done(bench.resolve("latest").await);
    assert_eq!(latest["backup"], NEW_ID);
    assert!(latest["warnings"].to_string().contains(newest), "{}", latest["warnings"]);
    // With no other copy left the bad one can still be named, to look at it or to prove it again.
    bench.catalog.backups[0].copies.truncate(1);
    let explicit = done(bench.resolve(newest).await);
    assert_eq!((explicit["store"].as_str(), explicit["proof"]["outcome"].as_str()), (Some("near"), Some("failed")));
    failed(bench.verify(newest, None).await);
}

#[tokio::test]
async fn a_recorded_checksum_is_compared() {
    let mut bench = bench();
    let good = hex::encode(sha2::Sha256::digest(&artefacts().dump("plain.gz").bytes));
    bench.catalog.backups[0].sidecars.push(sidecar("checksums.txt", Some(good), Vec::new()));
    let l2 = done(bench.run("backup.verify", json!({ "backup": NEW_ID, "level": "L2" })).await);
    assert!(l2["detail"].as_str().unwrap().contains("checksums.txt"));
    bench.catalog.backups[0].sidecars[0].sha256 = Some("0".repeat(64));
    let failure = failed(bench.verify(NEW_ID, Some("far")).await);
    assert!(failure.what.contains("but checksums.txt records 0000"), "{}", failure.what);
    // Without any recorded checksum L2 cannot be reached, and that is said; L4 can.
    let failure = unknown(bench.run("backup.verify", json!({ "backup": OLD_ID, "level": "L2" })).await);
    assert!(failure.what.contains("proven only to L1, L2 was asked for"), "{}", failure.what);
}

#[tokio::test]
async fn a_store_that_breaks_off_says_nothing_about_the_backup() {
    for fault in [Fault::BreakAfter(1000), Fault::Fail(StoreErrorKind::Denied), Fault::Fail(StoreErrorKind::Changed)] {
        let bench = bench();
        bench.near.next(Operation::Read, [Some(fault.clone())]);
        let failure = unknown(bench.verify(NEW_ID, Some("near")).await);
        assert!(!failure.next.is_empty(), "{fault:?}: {failure:?}");
        assert!(bench.proofs().records.iter().all(|r| r.outcome == ProofOutcome::Unknown));
    }
    let bench = bench();
    bench.near.always(Operation::Head, Some(Fault::Fail(StoreErrorKind::Unreachable)));
    unknown(bench.verify(NEW_ID, Some("near")).await);
    let source = done(bench.resolve("latest").await);
    assert_eq!(source["store"], "far");
    bench.far.always(Operation::ReadRange, Some(Fault::Fail(StoreErrorKind::Denied)));
    let failure = unknown(bench.resolve("latest").await);
    assert_eq!(failure.evidence.len(), 2, "{failure:?}");
}

#[tokio::test]
async fn an_object_that_was_replaced_since_the_scan_is_not_taken() {
    let bench = bench();
    bench.near.inner().put("plain.gz", artefacts().dump("custom").bytes.clone());
    assert!(unknown(bench.verify(NEW_ID, Some("near")).await).what.contains("no longer the object"));
    assert_eq!(done(bench.resolve("latest").await)["store"], "far");
    bench.far.inner().lose("plain.gz");
    failed(bench.verify(NEW_ID, Some("far")).await);
}

#[tokio::test]
async fn archived_copies_and_impossible_times_are_refused() {
    let mut bench = bench();
    let archive = || "DEEP_ARCHIVE".to_owned();
    for copy in &mut bench.catalog.backups[0].copies {
        copy.storage_class = Some(archive());
    }
    bench.near.inner().archive("plain.gz", Thaw::Archived { archive: archive() });
    bench.far.inner().archive("plain.gz", Thaw::Thawing { archive: archive() });
    let failure = failed(bench.resolve("latest").await);
    assert!(failure.evidence[0].contains("archived (DEEP_ARCHIVE) and must be thawed first"), "{failure:?}");
    assert!(failure.evidence[1].contains("is being thawed out of DEEP_ARCHIVE"), "{failure:?}");
    // The catalog is older than the world.
    bench.far.inner().archive("plain.gz", Thaw::Thawed { until: None });
    assert_eq!(done(bench.resolve("latest").await)["store"], "far");
    let copy = Bench::put(&bench.near, "late", &artefacts().dump("custom").bytes);
    bench.add("2027-01-01T00:00:00Z", vec![copy]);
    let failure = failed(bench.verify("orders-full-20270101T000000Z", None).await);
    assert!(failure.what.contains("lies in the future"), "{}", failure.what);
}

#[tokio::test]
async fn a_cancelled_task_goes_at_once_even_from_a_store_that_never_answers() {
    let bench = bench();
    bench.near.always(Operation::Read, Some(Fault::StallAfter(100)));
    bench.cancel.cancel(CancelReason::Operator);
    let outcome = bench.verify(NEW_ID, Some("near")).await;
    assert_eq!(outcome, TaskOutcome::Cancelled { reason: CancelReason::Operator });
}

#[tokio::test]
async fn levels_that_reading_cannot_prove_are_refused() {
    let bench = bench();
    for level in ["L5", "L0", "much"] {
        failed(bench.run("backup.verify", json!({ "backup": NEW_ID, "level": level })).await);
    }
}
