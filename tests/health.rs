//! Each rule speaks when it must, stays silent when it must, and never calls the unseen healthy.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use chrono::{Duration, TimeZone, Utc};
use relight::catalog::{Catalog, RecoveryWindow, ScanStatus, StoreScan, snapshot::Hole};
use relight::health::{AssetHealth, Severity, assess, rules};
use relight::model::actor::Actor;
use relight::model::backup::{Backup, BackupKind, ChainLink, Copy, Labels, Sidecar, TimeSource};
use relight::model::content::{Content, Form, Wrapping};
use relight::model::estate::{Asset, AssetKind, Estate, Schedule, Source, StoreConfig, StorePlace, Tier};
use relight::model::id::{AssetId, BackupId, StoreId};
use relight::model::objective::{CopyRule, Objectives, ProofRule};
use relight::model::proof::{Level, ProofOutcome, ProofRecord};
use relight::model::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration as Span;

const HOUR: Span = Span::from_hours(1);

fn now() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 3, 10, 12, 0, 0).unwrap()
}

fn store(id: &str, site: &str, medium: &str) -> StoreConfig {
    StoreConfig {
        id: StoreId::from(id),
        place: StorePlace::Local { path: PathBuf::from("/backups") },
        site: site.to_owned(),
        medium: medium.to_owned(),
        time_zone: chrono_tz::UTC,
    }
}

fn source(store: &str, kind: BackupKind) -> Source {
    Source {
        store: StoreId::from(store),
        pattern: "orders_{time:%Y%m%d_%H%M%S}.sql.gz".to_owned(),
        kind,
        schedule: Some(Schedule::Every(24 * HOUR)),
        retention: None,
        min_size: Some(500),
        encrypted: false,
        key: None,
        time_zone: None,
        required: Vec::new(),
    }
}

fn estate() -> Estate {
    let mut s3 = store("s3", "eu-west-1", "object");
    s3.place = StorePlace::S3(Box::new(relight::model::estate::S3Place {
        bucket: "backups".to_owned(),
        prefix: String::new(),
        region: "eu-west-1".to_owned(),
        endpoint: None,
        force_path_style: false,
        credentials: relight::model::estate::S3Credentials::Default,
        keeping: relight::model::estate::S3Keeping::default(),
    }));
    Estate {
        name: "shop".to_owned(),
        environment: "production".to_owned(),
        time_zone: chrono_tz::UTC,
        stores: vec![store("local", "local", "disk"), s3],
        assets: vec![Asset {
            id: AssetId::from("orders"),
            kind: AssetKind::PostgreSql,
            tier: Tier::Critical,
            objectives: Objectives {
                rpo: Some(26 * HOUR),
                rto: Some(HOUR),
                copies: Some(CopyRule { total: 3, media: 2, off_site: 1 }),
                proof: Some(ProofRule { level: Level::L4, every: 7 * 24 * HOUR }),
            },
            sources: vec![source("local", BackupKind::Full), source("s3", BackupKind::Full)],
            server: Some("db1".into()),
            database: Some("orders".to_owned()),
            path: None,
            trees: Vec::new(),
            images: None,
            health_url: None,
            drill: None,
        }],
        servers: Vec::new(),
        hosts: Vec::new(),
        services: Vec::new(),
        jobs: Vec::new(),
        runbook_dirs: Vec::new(),
        approvers: vec![],
        quorum: 0,
    }
}

fn proof(backup: &str, outcome: ProofOutcome, age: Duration) -> ProofRecord {
    ProofRecord {
        backup: BackupId::from(backup),
        store: StoreId::from("local"),
        path: "p".to_owned(),
        level: Level::L4,
        wanted: Level::L4,
        outcome,
        at: now() - age,
        actor: Actor { name: "ada".to_owned(), host: "ops".to_owned(), pid: 1 },
        tool: "relight".to_owned(),
        detail: "the archive ends in the middle of a block".to_owned(),
        size_bytes: 1000,
        pin: None,
        sha256: None,
        facts: BTreeMap::new(),
    }
}

fn backup(days: i64) -> Backup {
    let taken_at = now() - Duration::days(days) - Duration::hours(10);
    let id = format!("orders-full-{}", taken_at.format("%Y%m%dT%H%M%SZ"));
    let copy = |store: &str| Copy {
        store: StoreId::from(store),
        path: format!("orders_{days}.sql.gz"),
        size_bytes: 1000,
        modified_at: Some(taken_at),
        storage_class: None,
        etag: None,
        objects: 1,
    };
    Backup {
        id: BackupId::from(id.clone()),
        asset: AssetId::from("orders"),
        kind: BackupKind::Full,
        taken_at,
        time_source: TimeSource::Name,
        ambiguous_with: None,
        size_bytes: 1000,
        complete: Some(true),
        incomplete_because: Vec::new(),
        encrypted: None,
        content: None,
        copies: vec![copy("local"), copy("s3")],
        chain: None,
        sidecars: Vec::new(),
        proof: (days == 0).then(|| proof(&id, ProofOutcome::Passed, Duration::hours(9)).into()),
        labels: Labels::new(),
    }
}

fn catalog() -> Catalog {
    let scan = |id: &str| StoreScan {
        id: StoreId::from(id),
        location: format!("place of {id}"),
        status: ScanStatus::Ok,
        objects: 4,
        bytes: 4000,
        scanned_at: Some(now()),
        error: None,
        error_kind: None,
        hint: None,
        unrecognised: relight::catalog::Unrecognised::default(),
    };
    Catalog {
        backups: (0..4).map(backup).collect(),
        stores: vec![scan("local"), scan("s3")],
        scanned_at: Some(now()),
        ..Catalog::default()
    }
}

fn judge(catalog: &Catalog) -> AssetHealth {
    assess(catalog, &estate(), now()).assets.remove(0)
}

fn rules_of(health: &AssetHealth) -> Vec<(String, Severity)> {
    health.findings.iter().map(|f| (f.rule.clone(), f.severity)).collect()
}

fn one(catalog: &Catalog, rule: &str, severity: Severity) {
    let health = judge(catalog);
    assert!(rules_of(&health).contains(&(rule.to_owned(), severity)), "{rule} {severity}: {:#?}", health.findings);
    let finding = health.findings.iter().find(|f| f.rule == rule).unwrap();
    assert!(!finding.remedy.is_empty() && !finding.message.is_empty(), "{finding:?}");
}

#[test]
fn a_clean_asset_has_no_findings() {
    let health = judge(&catalog());
    assert_eq!(health.findings, vec![], "{:#?}", health.findings);
    assert_eq!(health.verdict, Severity::Ok);
    assert_eq!((health.copies.total, health.copies.media, health.copies.off_site), (3, 2, 1));
    assert_eq!(health.age_seconds, Some(10 * 3600));
    assert_eq!(health.sizes, vec![1000; 4]);
}

#[test]
fn nothing_at_all_is_critical() {
    let mut catalog = catalog();
    catalog.backups.clear();
    one(&catalog, "no-backup", Severity::Critical);
}

#[test]
fn nothing_in_an_unseen_store_is_unknown_and_never_healthy() {
    let mut catalog = catalog();
    catalog.backups.clear();
    catalog.stores[1].status = ScanStatus::Unreachable;
    let health = judge(&catalog);
    assert_eq!(health.verdict, Severity::Unknown, "{:#?}", health.findings);
    let report = assess(&catalog, &estate(), now());
    assert_eq!(report.stores[1].verdict, Severity::Unknown);
    assert_eq!(report.verdict, Severity::Unknown);
}

#[test]
fn age_over_the_objective_is_critical_for_a_critical_asset() {
    let mut catalog = catalog();
    catalog.backups.drain(..2);
    one(&catalog, "age-over-rpo", Severity::Critical);
    one(&catalog, "missed-run", Severity::Critical);
}

#[test]
fn age_in_an_unseen_store_is_unknown() {
    let mut catalog = catalog();
    catalog.backups.drain(..2);
    catalog.stores[0].status = ScanStatus::Partial;
    one(&catalog, "age-over-rpo", Severity::Unknown);
}

#[test]
fn one_store_left_behind_is_a_missed_run_there() {
    let mut catalog = catalog();
    for backup in &mut catalog.backups[..2] {
        backup.copies.truncate(1);
    }
    one(&catalog, "missed-run", Severity::Critical);
    one(&catalog, "too-few-copies", Severity::Critical);
}

#[test]
fn sizes_are_held_against_floor_and_forerunners() {
    let sized = |size: u64| {
        let mut catalog = catalog();
        catalog.backups[0].size_bytes = size;
        catalog
    };
    one(&sized(0), "zero-size", Severity::Critical);
    one(&sized(499), "below-floor", Severity::Critical);
    one(&sized(1501), "size-jump", Severity::Warning);
    let mut big = catalog();
    for backup in &mut big.backups[1..] {
        backup.size_bytes = 10_000;
    }
    one(&big, "size-collapse", Severity::Critical);
    for backup in &mut big.backups[1..] {
        backup.size_bytes = 2_100;
    }
    one(&big, "size-collapse", Severity::Warning);
    assert_eq!(judge(&sized(1499)).findings, vec![]);
    // What was packed since is no smaller source.
    let mut packed = big;
    let form = |wrapped| Some(Content { wrapped, form: Form::Tar });
    for backup in &mut packed.backups {
        backup.content = form(vec![]);
    }
    one(&packed, "size-collapse", Severity::Warning);
    packed.backups[0].content = form(vec![Wrapping::Gzip]);
    assert_eq!(judge(&packed).findings, vec![]);
}

#[test]
fn incomplete_broken_and_contradicted_backups_are_named() {
    let mut catalog = catalog();
    catalog.backups[0].complete = Some(false);
    one(&catalog, "incomplete-backup", Severity::Critical);
    assert_eq!(judge(&catalog).newest, Some(catalog.backups[1].id.clone()));
    catalog.backups[0] = backup(0);
    catalog.backups[1].complete = Some(false);
    one(&catalog, "incomplete-backup", Severity::Warning);
    catalog.backups[0].chain = Some(ChainLink { base_name: "full_1".to_owned(), base: None }.into());
    one(&catalog, "broken-chain", Severity::Critical);
    catalog.backups[0].sidecars = vec![Sidecar {
        name: "checksums.txt".to_owned(),
        store: StoreId::from("local"),
        path: "checksums.txt".to_owned(),
        pin: None,
        facts: Vec::new(),
        sha256: None,
        disagreements: vec!["size 5, listed 1000".to_owned()],
        warnings: Vec::new(),
    }];
    one(&catalog, "sidecar-disagrees", Severity::Warning);
}

#[test]
fn a_hole_ahead_of_the_newest_full_is_critical_and_behind_it_a_warning() {
    let hole = |hours: i64| {
        let mut catalog = catalog();
        catalog.windows = vec![RecoveryWindow {
            asset: AssetId::from("orders"),
            earliest: None,
            latest: None,
            points: Vec::new(),
            spans: Vec::new(),
            holes: vec![Hole {
                timeline: 1,
                first: "000000010000000000000005".to_owned(),
                last: "000000010000000000000006".to_owned(),
                segments: 2,
                from: Some(now() - Duration::hours(hours + 1)),
                to: Some(now() - Duration::hours(hours)),
            }],
        }];
        catalog
    };
    one(&hole(2), "log-hole", Severity::Critical);
    one(&hole(20), "log-hole", Severity::Warning);
}

#[test]
fn proofs_fail_age_and_lack() {
    let mut catalog = catalog();
    let id = catalog.backups[0].id.to_string();
    catalog.backups[0].proof = Some(proof(&id, ProofOutcome::Failed, Duration::hours(1)).into());
    one(&catalog, "proof-failed", Severity::Critical);
    one(&catalog, "unproven", Severity::Warning);
    catalog.backups[0].proof = Some(proof(&id, ProofOutcome::Passed, Duration::days(8)).into());
    one(&catalog, "proof-stale", Severity::Warning);
}

#[test]
fn plaintext_beside_an_encrypted_archive_is_critical() {
    let mut catalog = catalog();
    catalog.backups[0].labels.insert("plaintext-beside".to_owned(), "config.tar.gz".to_owned());
    one(&catalog, "plaintext-beside", Severity::Critical);
}

#[test]
fn a_newest_backup_that_only_an_archive_has_is_told_with_the_objective() {
    let mut catalog = catalog();
    let classes: Vec<Option<String>> = catalog.backups[0].copies.iter().map(|_| Some("GLACIER".to_owned())).collect();
    for (copy, class) in catalog.backups[0].copies.iter_mut().zip(classes) {
        copy.storage_class = class;
    }
    one(&catalog, "archived-only", Severity::Warning);
    // One copy that can be read is enough.
    catalog.backups[0].copies[0].storage_class = Some("STANDARD_IA".to_owned());
    assert!(judge(&catalog).findings.iter().all(|finding| finding.rule != "archived-only"));
}

#[test]
fn rule_names_are_unique() {
    let names: Vec<&str> = rules::ALL.iter().flat_map(|rule| rule.names.iter().copied()).collect();
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
}
