//! A hand-made estate with most of what can go wrong, at a fixed instant.

use chrono::{Duration, TimeZone, Utc};
use relight::catalog::snapshot::Hole;
use relight::catalog::{Catalog, RecoveryWindow, ScanStatus, StoreScan, Unrecognised};
use relight::health::finding::CopyCount;
use relight::health::{AssetHealth, Finding, HealthReport, Severity};
use relight::model::actor::Actor;
use relight::model::backup::{Backup, BackupKind, ChainLink, Copy, Labels, Sidecar, TimeSource};
use relight::model::content::{Content, Form, Wrapping};
use relight::model::estate::*;
use relight::model::id::{AssetId, BackupId, StoreId};
use relight::model::lease::Lease;
use relight::model::objective::{CopyRule, Objectives};
use relight::model::proof::{Level, ProofOutcome, ProofRecord};
use relight::model::task::{Progress, Unit};
use relight::model::time::Timestamp;
use relight::session::view::Held;
use relight::session::{Notice, RunRow, TaskRow, View};
use relight::stores::StoreErrorKind;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration as Span;

pub fn now() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 11, 20, 14, 2, 11).unwrap()
}

pub fn before(hours: i64, minutes: i64) -> Timestamp {
    now() - Duration::hours(hours) - Duration::minutes(minutes)
}

pub fn actor() -> Actor {
    Actor { name: "deploy".into(), host: "ops1".into(), pid: 4711 }
}

const HOSTILE: &str = "evil\x1b[2J\x1b]0;owned\x07\u{202e}gnp.\n../../etc/passwd";

fn asset(id: &str, kind: AssetKind, tier: Tier, rpo_hours: u64, stores: &[&str]) -> Asset {
    Asset {
        id: id.into(),
        kind,
        tier,
        objectives: Objectives {
            rpo: Some(Span::from_secs(rpo_hours * 3600)),
            rto: Some(Span::from_hours(1)),
            copies: Some(CopyRule { total: 3, media: 2, off_site: 1 }),
            proof: None,
        },
        sources: stores
            .iter()
            .map(|store| Source {
                store: StoreId::new(*store),
                pattern: "{time:%Y%m%d_%H%M%S}.sql.gz".into(),
                kind: BackupKind::Full,
                schedule: None,
                retention: None,
                min_size: None,
                encrypted: false,
                key: None,
                time_zone: None,
                required: Vec::new(),
            })
            .collect(),
        server: None,
        database: None,
        path: None,
        trees: Vec::new(),
        images: None,
        health_url: None,
        drill: None,
    }
}

fn store(id: &str, place: StorePlace, site: &str, medium: &str) -> StoreConfig {
    StoreConfig { id: id.into(), place, site: site.into(), medium: medium.into(), time_zone: chrono_tz::UTC }
}

fn s3(bucket: &str) -> StorePlace {
    StorePlace::S3(Box::new(S3Place {
        bucket: bucket.into(),
        prefix: String::new(),
        region: "us-east-1".into(),
        endpoint: None,
        force_path_style: false,
        credentials: S3Credentials::Default,
        keeping: S3Keeping::default(),
    }))
}

pub fn estate() -> Estate {
    Estate {
        name: "platform".into(),
        environment: "production".into(),
        time_zone: chrono_tz::Europe::Berlin,
        stores: vec![
            store("local", StorePlace::Local { path: "/var/backups/platform".into() }, "berlin", "disk"),
            store("s3-primary", s3("platform-db-backups"), "us-east-1", "object"),
            store("s3-glacier", s3("platform-archive"), "eu-west-1", "object"),
        ],
        assets: vec![
            asset("orders-db", AssetKind::PostgreSql, Tier::Critical, 24, &["local", "s3-primary"]),
            asset("session-cache", AssetKind::Redis, Tier::Important, 6, &["local"]),
            asset("uploads", AssetKind::Files, Tier::Important, 24, &["s3-primary"]),
            asset("ml-models", AssetKind::Models, Tier::Standard, 168, &["s3-glacier"]),
            asset("config", AssetKind::Config, Tier::Standard, 24, &["local", "s3-primary"]),
        ],
        servers: Vec::new(),
        hosts: Vec::new(),
        services: Vec::new(),
        jobs: Vec::new(),
        runbook_dirs: Vec::new(),
        approvers: vec![],
        quorum: 0,
    }
}

pub fn proof(id: &str, level: Level, outcome: ProofOutcome, detail: &str) -> ProofRecord {
    ProofRecord {
        backup: id.into(),
        store: "s3-primary".into(),
        path: "full/orders.dump".into(),
        level,
        wanted: Level::L4,
        outcome,
        at: before(75, 0),
        actor: actor(),
        tool: "relight 0.1.0".into(),
        detail: detail.into(),
        size_bytes: 4_812_334_117,
        pin: None,
        sha256: Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into()),
        facts: BTreeMap::from([
            ("server version".to_owned(), "15.8".to_owned()),
            ("tables".to_owned(), "142".to_owned()),
            ("toc entries".to_owned(), "1,204".to_owned()),
        ]),
    }
}

fn copy(store: &str, path: &str, size: u64) -> Copy {
    Copy {
        store: store.into(),
        path: path.into(),
        size_bytes: size,
        modified_at: Some(before(26, 1)),
        storage_class: store.contains("glacier").then(|| "GLACIER".to_owned()),
        etag: None,
        objects: 1,
    }
}

pub fn backup(id: &str, asset: &str, hours: i64, size: u64, stores: &[&str]) -> Backup {
    Backup {
        id: id.into(),
        asset: asset.into(),
        kind: BackupKind::Full,
        taken_at: before(hours, 7),
        time_source: TimeSource::Name,
        ambiguous_with: None,
        size_bytes: size,
        complete: Some(true),
        incomplete_because: Vec::new(),
        encrypted: Some(false),
        content: Some(Content { wrapped: vec![Wrapping::Gzip], form: Form::PgCustom }),
        copies: stores.iter().map(|s| copy(s, &format!("full/{id}.dump.gz"), size)).collect(),
        chain: None,
        sidecars: Vec::new(),
        proof: None,
        labels: Labels::new(),
    }
}

fn backups() -> Vec<Backup> {
    let mut newest =
        backup("orders-db-full-20261119T115511Z", "orders-db", 26, 4_812_334_117, &["local", "s3-primary"]);
    newest.proof =
        Some(proof("orders-db-full-20261119T115511Z", Level::L4, ProofOutcome::Passed, "142 tables listed").into());
    newest.labels.insert("latest".into(), "latest.dump.gz".into());
    newest.sidecars.push(Sidecar {
        name: "metadata.json".into(),
        store: "s3-primary".into(),
        path: "full/metadata.json".into(),
        facts: vec![("size".into(), "4812334000".into()), ("host".into(), "db1.internal".into())],
        sha256: None,
        disagreements: vec!["it states 4,812,334,000 bytes, the object has 4,812,334,117".into()],
        warnings: vec!["it names no checksum".into()],
        pin: None,
    });
    let mut incremental =
        backup("orders-db-incremental-20261119T175511Z", "orders-db", 20, 88_213_004, &["s3-primary"]);
    incremental.kind = BackupKind::Incremental;
    incremental.chain = Some(ChainLink { base_name: "base_20261118".into(), base: None }.into());
    let mut collapsed = backup("uploads-archive-20261120T010211Z", "uploads", 13, 1_204, &["s3-primary"]);
    collapsed.kind = BackupKind::Archive;
    collapsed.content = Some(Content { wrapped: vec![Wrapping::Zstd], form: Form::Tar });
    collapsed.proof = Some(
        proof(
            "uploads-archive-20261120T010211Z",
            Level::L2,
            ProofOutcome::Failed,
            "the archive ends after 1,204 bytes",
        )
        .into(),
    );
    let mut hostile = backup(HOSTILE, "uploads", 40, 7_700_000_000, &["s3-primary"]);
    hostile.complete = Some(false);
    hostile.incomplete_because = vec![format!("member {HOSTILE} is missing")];
    hostile.copies[0].path = HOSTILE.into();
    let mut rdb = backup("session-cache-snapshot-20261120T130211Z", "session-cache", 1, 310_000_000, &["local"]);
    rdb.kind = BackupKind::Snapshot;
    rdb.content = Some(Content { wrapped: Vec::new(), form: Form::Rdb });
    let mut models = backup("ml-models-archive-20261101T000000Z", "ml-models", 470, 91_000_000_000, &["s3-glacier"]);
    models.encrypted = Some(true);
    models.content = None;
    let mut wide = backup("config-archive-漢字-20261120T100211Z", "config", 4, 48_120, &["local", "s3-primary"]);
    wide.content = Some(Content { wrapped: vec![Wrapping::Gzip], form: Form::Tar });
    let mut all = vec![rdb, wide, collapsed, incremental, newest, hostile, models];
    for day in 2..30 {
        let id = format!("orders-db-full-202610{day:02}T115511Z");
        all.push(backup(
            &id,
            "orders-db",
            24 * (50 - day) + 2,
            4_700_000_000 + 3_000_000 * day as u64,
            &["local", "s3-primary"],
        ));
    }
    all.sort_by_key(|backup| std::cmp::Reverse(backup.taken_at));
    all
}

fn scan(id: &str, location: &str, status: ScanStatus, objects: u64) -> StoreScan {
    StoreScan {
        id: id.into(),
        location: location.into(),
        status,
        objects,
        bytes: objects * 41_000_000,
        scanned_at: Some(before(0, 3)),
        error: None,
        error_kind: None,
        hint: None,
        unrecognised: Unrecognised::default(),
    }
}

pub fn catalog() -> Catalog {
    let mut lost = scan("s3-glacier", "s3://platform-archive", ScanStatus::Unreachable, 212);
    lost.scanned_at = Some(before(31, 0));
    lost.error = Some("store `s3-glacier`: connection refused after 3 attempts in 12 s".into());
    lost.error_kind = Some(StoreErrorKind::Unreachable);
    lost.hint = Some("Check endpoint, network and DNS; the last known catalog stays on screen.".into());
    let window = |asset: &str, spans: Vec<(i64, i64)>, points: Vec<i64>, holes: Vec<(i64, i64)>| RecoveryWindow {
        asset: asset.into(),
        earliest: Some(before(320, 0)),
        latest: spans.iter().map(|s| before(s.1, 0)).chain(points.iter().map(|p| before(*p, 7))).max(),
        points: points.iter().map(|p| before(*p, 7)).collect(),
        spans: spans.iter().map(|(a, b)| (before(*a, 0), before(*b, 0))).collect(),
        holes: holes
            .iter()
            .map(|(a, b)| Hole {
                timeline: 1,
                first: "00000001000000A200000031".into(),
                last: "00000001000000A200000036".into(),
                segments: 6,
                from: Some(before(*a, 0)),
                to: Some(before(*b, 0)),
            })
            .collect(),
    };
    Catalog {
        backups: backups(),
        logs: Vec::new(),
        stores: vec![
            scan("local", "/var/backups/platform", ScanStatus::Ok, 1_412),
            scan("s3-primary", "s3://platform-db-backups", ScanStatus::Partial, 48_213),
            lost,
        ],
        unrecognised: Unrecognised {
            count: 3,
            bytes: 12_044,
            samples: vec![
                "local: notes.txt".into(),
                "local: evil\\x1b[2J.sql".into(),
                "s3-primary: full/.DS_Store".into(),
            ],
        },
        windows: vec![
            window("orders-db", vec![(320, 210), (180, 26)], vec![26, 50, 74], vec![(210, 180)]),
            window("session-cache", Vec::new(), vec![1, 7, 13, 19, 25], Vec::new()),
            window("uploads", Vec::new(), vec![13, 40], Vec::new()),
            window("config", Vec::new(), vec![4, 28, 52, 76], Vec::new()),
        ],
        scanned_at: Some(before(0, 3)),
    }
}

fn finding(rule: &str, severity: Severity, message: &str, evidence: &[(&str, &str)], remedy: &str) -> Finding {
    Finding {
        rule: rule.into(),
        severity,
        message: message.into(),
        evidence: evidence.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        remedy: remedy.into(),
        backup: None,
    }
}

fn health_of(id: &str, verdict: Severity, age_hours: Option<i64>, rpo_hours: u64, sizes: &[u64]) -> AssetHealth {
    AssetHealth {
        id: id.into(),
        verdict,
        age_seconds: age_hours.map(|h| h * 3600 + 420),
        rpo_seconds: Some(rpo_hours * 3600),
        rto_seconds: Some(3600),
        newest: None,
        newest_at: age_hours.map(|h| before(h, 7)),
        copies: CopyCount { total: 2, media: 2, off_site: 1 },
        proof: None,
        sizes: sizes.to_vec(),
        backups: 30,
        findings: Vec::new(),
    }
}

pub fn health() -> HealthReport {
    let mut orders = health_of("orders-db", Severity::Critical, Some(26), 24, &[46, 46, 47, 47, 47, 48, 48, 48]);
    orders.newest = Some("orders-db-full-20261119T115511Z".into());
    orders.proof = Some(proof("orders-db-full-20261119T115511Z", Level::L4, ProofOutcome::Passed, "142 tables listed"));
    orders.findings = vec![
        finding(
            "age-over-rpo",
            Severity::Critical,
            "The newest usable backup is 26h 07m old; the objective is 24h.",
            &[("newest", "2026-11-19 12:55 CET"), ("objective", "24h"), ("expected", "2026-11-20 03:00 CET")],
            "Start the backup job by hand, then find out why the schedule missed.",
        ),
        finding(
            "log-hole",
            Severity::Critical,
            "6 log segments are missing: no instant between 2026-11-11 and 2026-11-13 can be restored.",
            &[("first", "00000001000000A200000031"), ("last", "00000001000000A200000036")],
            "Look for the segments on the server and in the other store; take a new full backup.",
        ),
    ];
    let mut uploads = health_of("uploads", Severity::Critical, Some(13), 24, &[7_600, 7_650, 7_690, 7_700, 7_700, 1]);
    uploads.newest = Some("uploads-archive-20261120T010211Z".into());
    uploads.copies = CopyCount { total: 1, media: 1, off_site: 1 };
    uploads.proof =
        Some(proof("uploads-archive-20261120T010211Z", Level::L2, ProofOutcome::Failed, "the archive ends early"));
    let mut collapse = finding(
        "size-collapse",
        Severity::Critical,
        "The newest backup has 1.20 kB; the one before it had 7.70 GB.",
        &[("now", "1.20 kB"), ("before", "7.70 GB")],
        "Do not trust it. Check the disk of the host and the output of the job.",
    );
    collapse.backup = Some("uploads-archive-20261120T010211Z".into());
    uploads.findings = vec![collapse];
    let mut models = health_of("ml-models", Severity::Unknown, Some(470), 168, &[90, 91, 91]);
    models.findings = vec![finding(
        "store-unreachable",
        Severity::Unknown,
        "Store s3-glacier did not answer: nobody knows what is in it now.",
        &[("last seen", "31h ago")],
        "Check endpoint, network and DNS, then rescan.",
    )];
    let mut config = health_of("config", Severity::Warning, Some(4), 24, &[48, 48, 48, 49, 48]);
    config.findings = vec![finding(
        "few-copies",
        Severity::Warning,
        "The newest backup has 2 copies; 3 are asked for.",
        &[("copies", "2 of 3")],
        "Check the replication job.",
    )];
    let cache = health_of("session-cache", Severity::Ok, Some(1), 6, &[300, 305, 310, 310]);
    HealthReport {
        verdict: Severity::Critical,
        assets: vec![orders, uploads, models, config, cache],
        stores: Vec::new(),
        judged_at: before(0, 0),
    }
}

fn answers() -> Vec<relight::checklist::Note> {
    use relight::checklist::Outcome::{Failed, Passed};
    let note = |item: &str, hours: i64, outcome, text: &str| relight::checklist::Note {
        checklist: "weekly".into(),
        item: item.into(),
        at: before(hours, 0),
        by: actor(),
        outcome,
        text: text.into(),
    };
    vec![
        note("issues", 400, Passed, "of another week"),
        note("test-restore", 20, Passed, "orders-db into staging in 12 minutes, row counts equal"),
        note("keys", 3, Failed, "the second copy of the key \u{1b}[2J is not in the vault"),
    ]
}

pub fn view() -> View {
    View {
        estate: Arc::new(estate()),
        actor: actor(),
        identity: "profile platform-ro".into(),
        armed: None,
        catalog: Arc::new(catalog()),
        catalog_from_disk: false,
        health: Arc::new(health()),
        scanning: Vec::new(),
        runbooks: Arc::new(super::runs::runbooks()),
        runbook_errors: Arc::new(vec![
            "failover.toml:12:9: `efect` is not a key of a step; did you mean `effect`?".into(),
        ]),
        runs: Arc::new(runs()),
        open_run: None,
        tasks: Arc::new(tasks()),
        proofs: Arc::new(vec![
            proof(
                "orders-db-full-20261119T115511Z",
                Level::L4,
                ProofOutcome::Passed,
                "142 tables listed, 1,204 entries",
            ),
            proof(
                "uploads-archive-20261120T010211Z",
                Level::L2,
                ProofOutcome::Failed,
                "the archive ends after 1,204 bytes",
            ),
        ]),
        checklists: Arc::new(relight::checklist::load::all(&[]).0),
        answers: Arc::new(answers()),
        notices: vec![
            Notice {
                id: 1,
                at: before(0, 40),
                severity: Severity::Warning,
                what: "The listing of s3-primary broke off after 48,213 objects.".into(),
                next: "Rescan; if it happens again, ask for fewer requests at once.".into(),
            },
            Notice {
                id: 2,
                at: before(0, 3),
                severity: Severity::Unknown,
                what: "s3-glacier did not answer.".into(),
                next: "Check endpoint, network and DNS.".into(),
            },
        ],
        version: 7,
    }
}

pub fn runs() -> Vec<RunRow> {
    let row = |id: &str, title: &str, mode: &str, status: &str, needs: bool, over: bool, hours: i64| RunRow {
        id: id.into(),
        title: title.into(),
        mode: mode.into(),
        status: status.into(),
        needs_operator: needs,
        decide_by: None,
        owes: Vec::new(),
        held: None,
        driven: !over,
        over,
        created_at: before(hours, 12),
        operator: actor(),
    };
    vec![
        row("20261120T135000Z-restore-postgres", "Restore orders-db", "real", "waiting for you", true, false, 0),
        row("20261120T090000Z-restore-files", "Restore uploads", "drill", "runner lost", false, false, 5),
        row("20261119T080000Z-restore-postgres", "Restore orders-db", "drill", "completed", false, true, 30),
        row("20261118T080000Z-restore-files", "Restore config", "real", "completed with exceptions", false, true, 54),
    ]
}

/// A row of a run that another machine holds, whose runner has given no sign for a while.
pub fn away(unreadable: bool) -> RunRow {
    let holder = Actor { name: "grace".into(), host: "ops2".into(), pid: 812 };
    let lease = Lease {
        scope: "database 7312204418823301121/orders".into(),
        epoch: 3,
        holder: holder.clone(),
        run: "20261120T135000Z-restore-postgres".into(),
        seat: "5d41402abc4b2a76".into(),
        acquired_at: before(0, 11),
        renewed_at: before(0, 4),
        expires_at: before(0, 2),
        taken_from: None,
        released_at: None,
        freed_from: None,
    };
    let row = runs().remove(0);
    RunRow {
        status: if unreadable { "away: mirror lost" } else { "away: its runner is silent" }.into(),
        driven: false,
        operator: holder,
        held: Some(Held {
            lease,
            seen_at: before(0, 0),
            unreadable: unreadable.then(|| "run 20261120T135000Z-restore-postgres has no mirror".into()),
            copy_here: true,
        }),
        ..row
    }
}

fn tasks() -> Vec<TaskRow> {
    let task = |id, title: &str, state: &str, done, total, ended: bool, detail: &str| TaskRow {
        id,
        title: title.into(),
        started_at: before(0, 4),
        ended_at: ended.then(|| before(0, 2)),
        progress: Progress { done, total, unit: Unit::Bytes, note: "member base/16384/2619".into() },
        state: state.into(),
        detail: detail.into(),
        lines: vec!["gzip opened".into(), format!("member {HOSTILE}")],
    };
    vec![
        task(
            3,
            "Prove orders-db-full-20261119T115511Z to L4",
            "running",
            2_100_000_000,
            Some(4_812_334_117),
            false,
            "",
        ),
        task(2, "Scan s3-glacier", "unknown", 0, None, true, "connection refused after 3 attempts"),
        task(1, "Scan local", "done", 57_892_000_000, Some(57_892_000_000), true, "1,412 objects"),
    ]
}

/// A catalog of many backups, for the speed of filtering.
pub fn large(count: usize) -> Arc<Catalog> {
    let mut catalog = Catalog { scanned_at: Some(now()), ..Catalog::default() };
    catalog.backups = (0..count)
        .map(|n| {
            let asset = ["orders-db", "uploads", "config", "session-cache"][n % 4];
            let taken = now() - Duration::minutes(n as i64);
            let id = format!("{asset}-full-{}", taken.format("%Y%m%dT%H%M%SZ"));
            let mut backup = backup(&id, asset, 0, 1_000_000 + n as u64, &["local", "s3-primary"]);
            backup.taken_at = taken;
            backup.id = BackupId::new(id);
            backup.asset = AssetId::new(asset);
            backup
        })
        .collect();
    Arc::new(catalog)
}
