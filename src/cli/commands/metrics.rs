//! `relight metrics`: the verdicts as Prometheus text, for a textfile collector.

use crate::cli::scan::scan;
use crate::cli::{Globals, Output};
use crate::health::Severity;
use crate::model::proof::ProofOutcome;
use crate::report::Exit;
use crate::session::Scanned;
use color_eyre::eyre;
use std::fmt::Write as _;

/// Print the verdicts and figures as Prometheus text
///
/// A status is 0 ok, 1 warning, 2 critical, 3 unknown. What is not known is absent: alert on absence too.
#[derive(Debug, clap::Args)]
pub struct Args {}

pub async fn run(globals: &Globals, _args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let (setup, scanned) = scan(globals).await?;
    let text = page(&setup.estate.name, &scanned);
    out.raw(text.as_bytes())?;
    Ok(Exit::Fine)
}

/// One metric with its samples.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: Vec<(String, f64)>,
}

impl Metric {
    fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, samples: Vec::new() }
    }

    fn add(&mut self, labels: &[(&str, &str)], value: Option<f64>) {
        let Some(value) = value else { return };
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value))).collect();
        self.samples.push((labels.join(","), value));
    }

    fn write(&self, out: &mut String) {
        if self.samples.is_empty() {
            return;
        }
        let _ = writeln!(out, "# HELP relight_{} {}\n# TYPE relight_{} gauge", self.name, self.help, self.name);
        for (labels, value) in &self.samples {
            let _ = writeln!(out, "relight_{}{{{labels}}} {value}", self.name);
        }
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn status(severity: Severity) -> f64 {
    f64::from(Exit::from(severity).code())
}

fn page(estate: &str, scanned: &Scanned) -> String {
    let mut out = String::new();
    let mut verdict = Metric::new("status", "Verdict of the whole estate.");
    verdict.add(&[("estate", estate)], Some(status(scanned.health.verdict)));
    verdict.write(&mut out);
    for metric in assets(estate, scanned).iter().chain(&stores(estate, scanned)) {
        metric.write(&mut out);
    }
    out
}

fn assets(estate: &str, scanned: &Scanned) -> Vec<Metric> {
    let mut verdict = Metric::new("asset_status", "Verdict of an asset.");
    let mut age = Metric::new("backup_since_last_completion_seconds", "Age of the newest usable recovery point.");
    let mut last = Metric::new("backup_last_successful_timestamp", "Instant of the newest usable recovery point.");
    let mut rpo = Metric::new("rpo_seconds", "Recovery point objective.");
    let mut backups = Metric::new("backups", "Number of backups.");
    let mut copies = Metric::new("backup_copies", "Copies of the newest backup.");
    let mut size = Metric::new("backup_size_bytes", "Size of the newest backup.");
    let mut level = Metric::new("proof_level", "Proof level that the newest proof reached, if it passed.");
    let mut proven = Metric::new("proof_timestamp", "Instant of the newest proof that passed.");
    let mut earliest = Metric::new("first_recoverability_point", "Earliest instant that can be restored.");
    let mut latest = Metric::new("last_recoverability_point", "Latest instant that can be restored.");
    let mut missing = Metric::new("log_missing_segments", "Log segments missing within the recovery window.");
    let mut findings = Metric::new("finding", "An open finding.");
    for asset in &scanned.health.assets {
        let labels = [("estate", estate), ("asset", asset.id.as_str())];
        verdict.add(&labels, Some(status(asset.verdict)));
        age.add(&labels, asset.age_seconds.map(|seconds| seconds as f64));
        last.add(&labels, asset.newest_at.map(|at| at.timestamp() as f64));
        rpo.add(&labels, asset.rpo_seconds.map(|seconds| seconds as f64));
        backups.add(&labels, Some(asset.backups as f64));
        copies.add(&labels, Some(f64::from(asset.copies.total)));
        let newest = asset.newest.as_ref().and_then(|id| scanned.catalog.get(id));
        size.add(&labels, newest.map(|backup| backup.size_bytes as f64));
        let passed = asset.proof.as_ref().filter(|proof| proof.outcome == ProofOutcome::Passed);
        level.add(&labels, passed.map(|proof| f64::from(proof.level as u8)));
        proven.add(&labels, passed.map(|proof| proof.at.timestamp() as f64));
        if let Some(window) = scanned.catalog.window(&asset.id) {
            earliest.add(&labels, window.earliest.map(|at| at.timestamp() as f64));
            latest.add(&labels, window.latest.map(|at| at.timestamp() as f64));
            missing.add(&labels, Some(window.holes.iter().map(|hole| hole.segments).sum::<u64>() as f64));
        }
        for finding in &asset.findings {
            let backup = finding.backup.as_ref().map_or("", |id| id.as_str());
            let severity = finding.severity.to_string();
            let more = [("rule", finding.rule.as_str()), ("severity", severity.as_str()), ("backup", backup)];
            findings.add(&[&labels[..], &more].concat(), Some(1.0));
        }
    }
    vec![verdict, age, last, rpo, backups, copies, size, level, proven, earliest, latest, missing, findings]
}

fn stores(estate: &str, scanned: &Scanned) -> Vec<Metric> {
    let mut verdict = Metric::new("store_status", "Verdict of a store.");
    let mut objects = Metric::new("store_objects", "Objects seen in a store.");
    let mut bytes = Metric::new("store_bytes", "Bytes seen in a store.");
    let mut scans = Metric::new("store_last_scan_timestamp", "End of the last scan that reached a store.");
    let mut strangers = Metric::new("store_unrecognised_objects", "Objects that fit no configured pattern.");
    for store in &scanned.health.stores {
        verdict.add(&[("estate", estate), ("store", store.id.as_str())], Some(status(store.verdict)));
    }
    for store in &scanned.catalog.stores {
        let labels = [("estate", estate), ("store", store.id.as_str())];
        let known = store.scanned_at.is_some();
        objects.add(&labels, known.then_some(store.objects as f64));
        bytes.add(&labels, known.then_some(store.bytes as f64));
        scans.add(&labels, store.scanned_at.map(|at| at.timestamp() as f64));
        strangers.add(&labels, known.then_some(store.unrecognised.count as f64));
    }
    vec![verdict, objects, bytes, scans, strangers]
}
