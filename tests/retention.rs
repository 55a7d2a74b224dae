//! Retention against tables that were worked out by hand, and everything that must not be let go.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use chrono::{NaiveDate, TimeZone as _, Utc};
use relight::catalog::{Catalog, RecoveryWindow, ScanStatus, StoreScan, Unrecognised};
use relight::model::actor::Actor;
use relight::model::backup::{Backup, BackupKind, ChainLink, Copy, Labels, TimeSource};
use relight::model::estate::{Asset, AssetKind, Estate, Source, StoreConfig, StorePlace, Tier};
use relight::model::id::{AssetId, BackupId, StoreId};
use relight::model::objective::{Objectives, Retention};
use relight::model::proof::{Level, ProofOutcome, ProofRecord};
use relight::model::time::Timestamp;
use relight::retention::plan;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A Tuesday, in ISO week 11.
fn now() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 3, 10, 12, 0, 0).unwrap()
}

fn day(text: &str) -> Timestamp {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap().and_hms_opt(2, 0, 0).unwrap().and_utc()
}

fn proof(outcome: ProofOutcome) -> Box<ProofRecord> {
    Box::new(ProofRecord {
        backup: BackupId::from("any"),
        store: StoreId::from("local"),
        path: String::new(),
        level: Level::L4,
        wanted: Level::L4,
        outcome,
        at: now(),
        actor: Actor { name: "ada".to_owned(), host: "ops".to_owned(), pid: 1 },
        tool: "relight".to_owned(),
        detail: "it ends in the middle of a block".to_owned(),
        size_bytes: 1000,
        pin: None,
        sha256: None,
        facts: BTreeMap::new(),
    })
}

fn backup(at: Timestamp) -> Backup {
    let id = format!("orders-full-{}", at.format("%Y-%m-%d"));
    let copy = Copy {
        store: StoreId::from("local"),
        path: format!("orders_{}.sql.gz", at.format("%Y%m%d_%H%M%S")),
        size_bytes: 1000,
        modified_at: Some(at),
        storage_class: None,
        etag: None,
        objects: 1,
    };
    Backup {
        id: BackupId::from(id),
        asset: AssetId::from("orders"),
        kind: BackupKind::Full,
        taken_at: at,
        time_source: TimeSource::Name,
        ambiguous_with: None,
        size_bytes: 1000,
        complete: Some(true),
        incomplete_because: Vec::new(),
        encrypted: None,
        content: None,
        copies: vec![copy],
        chain: None,
        sidecars: Vec::new(),
        proof: None,
        labels: Labels::new(),
    }
}

/// Nightly backups of a year: the newest of 2026-03-10, the oldest of 2025-03-11. The newest is proven.
fn year() -> Vec<Backup> {
    let mut backups: Vec<Backup> = (0..365).map(|n| backup(day("2026-03-10") - chrono::Duration::days(n))).collect();
    backups[0].proof = Some(proof(ProofOutcome::Passed));
    backups
}

const POLICY: Retention = Retention { daily: 7, weekly: 4, monthly: 12, yearly: 2 };

fn asset() -> Asset {
    let source = Source {
        store: StoreId::from("local"),
        pattern: "orders_{time:%Y%m%d_%H%M%S}.sql.gz".to_owned(),
        kind: BackupKind::Full,
        schedule: None,
        retention: Some(POLICY),
        min_size: None,
        encrypted: false,
        key: None,
        time_zone: None,
        required: Vec::new(),
    };
    Asset {
        id: AssetId::from("orders"),
        kind: AssetKind::PostgreSql,
        tier: Tier::Standard,
        objectives: Objectives::default(),
        sources: vec![source],
        server: None,
        database: None,
        path: None,
        trees: Vec::new(),
        images: None,
        health_url: None,
        drill: None,
    }
}

fn estate() -> Estate {
    let store = StoreConfig {
        id: StoreId::from("local"),
        place: StorePlace::Local { path: PathBuf::from("/backups") },
        site: "local".to_owned(),
        medium: "disk".to_owned(),
        time_zone: chrono_tz::UTC,
    };
    Estate {
        name: "shop".to_owned(),
        environment: "production".to_owned(),
        time_zone: chrono_tz::UTC,
        stores: vec![store],
        assets: vec![asset()],
        servers: Vec::new(),
        hosts: Vec::new(),
        services: Vec::new(),
        jobs: Vec::new(),
        runbook_dirs: Vec::new(),
        approvers: vec![],
        quorum: 0,
    }
}

fn catalog(backups: Vec<Backup>) -> Catalog {
    let scan = StoreScan {
        id: StoreId::from("local"),
        location: "/backups".to_owned(),
        status: ScanStatus::Ok,
        objects: backups.len() as u64,
        bytes: 0,
        scanned_at: Some(now()),
        error: None,
        error_kind: None,
        hint: None,
        unrecognised: Unrecognised::default(),
    };
    Catalog { backups, stores: vec![scan], scanned_at: Some(now()), ..Catalog::default() }
}

/// Days that are kept, with why; and how many may go.
fn judged(catalog: &Catalog) -> (BTreeMap<String, String>, usize) {
    let (asset, estate) = (asset(), estate());
    let plans = plan(&asset, &estate, catalog, now());
    let kept = plans[0].items.iter().filter(|item| item.is_kept());
    let kept = kept.map(|item| (item.backup.taken_at.format("%Y-%m-%d").to_string(), item.reasons.join(", ")));
    (kept.collect(), plans[0].expiring().count())
}

fn days(kept: &BTreeMap<String, String>) -> BTreeSet<&str> {
    kept.keys().map(String::as_str).collect()
}

#[test]
fn a_year_of_nights_comes_down_to_the_table() {
    let (kept, expired) = judged(&catalog(year()));
    let table = BTreeSet::from([
        // Seven days.
        "2026-03-10",
        "2026-03-09",
        "2026-03-08",
        "2026-03-07",
        "2026-03-06",
        "2026-03-05",
        "2026-03-04",
        // Four weeks end on Sundays: the 8th is there already, the present week has its Tuesday.
        "2026-03-01",
        "2026-02-22",
        // Twelve months by their last days, March by its newest.
        "2026-02-28",
        "2026-01-31",
        "2025-12-31",
        "2025-11-30",
        "2025-10-31",
        "2025-09-30",
        "2025-08-31",
        "2025-07-31",
        "2025-06-30",
        "2025-05-31",
        "2025-04-30",
        // Two years: 2026 by its newest, 2025 by its last day, both there already.
    ]);
    assert_eq!(days(&kept), table, "{kept:#?}");
    assert_eq!(expired, 365 - 20);
    assert_eq!(kept["2025-12-31"], "monthly 2025-12, yearly 2025");
    assert_eq!(kept["2026-03-08"], "daily 2026-03-08, weekly 2026-W10");
}

#[test]
fn with_the_newest_five_corrupt_the_last_proven_one_is_kept() {
    let mut backups = year();
    for bad in &mut backups[..5] {
        bad.proof = Some(proof(ProofOutcome::Failed));
    }
    backups[9].proof = Some(proof(ProofOutcome::Passed));
    let (kept, _) = judged(&catalog(backups));
    assert!(kept["2026-03-01"].contains("the newest that is proven"), "{kept:#?}");
    for newer in ["2026-03-10", "2026-03-09", "2026-03-08", "2026-03-07", "2026-03-06"] {
        assert_eq!(
            kept[newer], "nothing newer is proven",
            "a bad one stands for no day, and nothing is known to replace it"
        );
    }
    // The seven days begin with the newest that is not bad.
    for night in ["2026-03-05", "2026-03-04", "2026-03-03", "2026-03-02", "2026-03-01", "2026-02-28", "2026-02-27"] {
        assert!(kept[night].contains(&format!("daily {night}")), "{night}: {}", kept[night]);
    }
}

#[test]
fn where_nothing_is_proven_nothing_goes() {
    let mut backups = year();
    backups[0].proof = None;
    assert_eq!(judged(&catalog(backups)).1, 0);
    let mut backups = year();
    backups[0].proof = None;
    backups[300].proof = Some(proof(ProofOutcome::Passed));
    let (kept, expired) = judged(&catalog(backups));
    assert!(kept.len() >= 301 && expired > 0, "only what is older than the proven one: {}", kept.len());
}

#[test]
fn a_backup_of_tomorrow_stands_for_no_day() {
    let mut backups = year();
    let mut tomorrow = backup(day("2027-01-01"));
    tomorrow.proof = Some(proof(ProofOutcome::Passed));
    backups.insert(0, tomorrow);
    let (kept, expired) = judged(&catalog(backups));
    assert!(kept["2027-01-01"].starts_with("its time has not come"), "{kept:#?}");
    assert_eq!(expired, 365 - 20);
}

#[test]
fn an_unseen_store_keeps_everything() {
    let mut catalog = catalog(year());
    catalog.stores[0].status = ScanStatus::Partial;
    assert_eq!(judged(&catalog).1, 0);
}

#[test]
fn what_others_build_on_stays() {
    let mut backups = year();
    backups[0].chain = Some(Box::new(ChainLink { base_name: "x".to_owned(), base: Some(backups[50].id.clone()) }));
    backups[50].chain = Some(Box::new(ChainLink { base_name: "y".to_owned(), base: Some(backups[51].id.clone()) }));
    backups[60].labels.insert("latest".to_owned(), "local: orders_latest.sql.gz".to_owned());
    let mut catalog = catalog(backups);
    catalog.windows = vec![RecoveryWindow {
        asset: AssetId::from("orders"),
        earliest: None,
        latest: None,
        points: Vec::new(),
        spans: vec![(day("2026-01-20") + chrono::Duration::hours(1), now())],
        holes: Vec::new(),
    }];
    let (kept, expired) = judged(&catalog);
    assert_eq!(expired, 365 - 24);
    assert_eq!(kept["2026-01-19"], "orders-full-2026-03-10 builds on it");
    assert_eq!(kept["2026-01-18"], "orders-full-2026-01-19 builds on it");
    assert_eq!(kept["2026-01-20"], "the log from 2026-01-20 03:00 UTC on builds on it");
    assert_eq!(kept["2026-01-09"], "`latest` points at it");
}

#[test]
fn days_without_a_backup_let_nothing_go_and_are_told() {
    let mut backups = year();
    // Three nights failed: the seven days reach back further.
    backups.drain(1..4);
    let (kept, _) = judged(&catalog(backups.clone()));
    assert!(kept.contains_key("2026-03-01") && kept["2026-03-01"].contains("daily"), "{kept:#?}");
    let (asset, estate, catalog) = (asset(), estate(), catalog(backups));
    let plans = plan(&asset, &estate, &catalog, now());
    let missing: Vec<String> = plans[0].missing.iter().map(|m| format!("{} {}", m.class, m.period)).collect();
    assert_eq!(missing, ["daily 2026-03-07", "daily 2026-03-08", "daily 2026-03-09"]);
}
