//! `relight health`: what is wrong, worst first; the exit code says the verdict.

use crate::catalog::RecoveryWindow;
use crate::cli::documents::{FindingRow, ProofRow, WindowRow};
use crate::cli::scan::scan;
use crate::cli::table::{Cell, Table};
use crate::cli::{Globals, Output, Tone, words};
use crate::health::{AssetHealth, Finding, Severity};
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::text::escaped;
use crate::model::time::{Timestamp, short_duration};
use crate::report::Exit;
use crate::session::Scanned;
use crate::wiring::Setup;
use color_eyre::eyre;
use serde::Serialize;

/// Judge every asset and store; the exit code is the verdict
///
/// 0 all is well, 1 a warning, 2 critical, 3 unknown because something could not be seen.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Body<'a> {
    estate: &'a str,
    environment: &'a str,
    verdict: Severity,
    assets: Vec<AssetRow<'a>>,
    stores: Vec<StoreRow<'a>>,
}

#[derive(Serialize)]
struct AssetRow<'a> {
    id: &'a AssetId,
    verdict: Severity,
    age_seconds: Option<i64>,
    rpo_seconds: Option<u64>,
    rto_seconds: Option<u64>,
    newest: Option<&'a BackupId>,
    newest_at: Option<Timestamp>,
    window: Option<WindowRow<'a>>,
    copies: Copies,
    proof: Option<ProofRow<'a>>,
    backups: u64,
    findings: Vec<FindingRow<'a>>,
}

#[derive(Serialize)]
struct Copies {
    total: u32,
    media: u32,
    off_site: u32,
}

#[derive(Serialize)]
struct StoreRow<'a> {
    id: &'a StoreId,
    verdict: Severity,
    findings: Vec<FindingRow<'a>>,
}

pub async fn run(globals: &Globals, _args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let (setup, scanned) = scan(globals).await?;
    if out.json {
        document(&setup, &scanned, out)?;
    } else {
        text(&setup, &scanned, out)?;
    }
    Ok(scanned.health.verdict.into())
}

fn document(setup: &Setup, scanned: &Scanned, out: &mut Output) -> eyre::Result<()> {
    let health = &scanned.health;
    let stores = health.stores.iter().map(|store| StoreRow {
        id: &store.id,
        verdict: store.verdict,
        findings: FindingRow::all(&store.findings),
    });
    let body = Body {
        estate: &setup.estate.name,
        environment: &setup.estate.environment,
        verdict: health.verdict,
        assets: health.assets.iter().map(|asset| asset_row(asset, scanned.catalog.window(&asset.id))).collect(),
        stores: stores.collect(),
    };
    Ok(out.document("health", 1, setup.clock.now(), &body)?)
}

fn asset_row<'a>(asset: &'a AssetHealth, window: Option<&'a RecoveryWindow>) -> AssetRow<'a> {
    AssetRow {
        id: &asset.id,
        verdict: asset.verdict,
        age_seconds: asset.age_seconds,
        rpo_seconds: asset.rpo_seconds,
        rto_seconds: asset.rto_seconds,
        newest: asset.newest.as_ref(),
        newest_at: asset.newest_at,
        window: window.map(WindowRow::new),
        copies: Copies { total: asset.copies.total, media: asset.copies.media, off_site: asset.copies.off_site },
        proof: asset.proof.as_ref().map(ProofRow::new),
        backups: asset.backups,
        findings: FindingRow::all(&asset.findings),
    }
}

fn text(setup: &Setup, scanned: &Scanned, out: &mut Output) -> eyre::Result<()> {
    let (estate, health) = (&setup.estate, &scanned.health);
    let now = setup.clock.now();
    let verdict = out.toned(health.verdict.into(), &health.verdict.to_string());
    let (name, environment) = (escaped(&estate.name), escaped(&estate.environment));
    let judged = words::instant(health.judged_at, estate.time_zone);
    out.line(&format!("{name} ({environment}): {verdict}, judged {judged}"))?;
    out.line("")?;

    let mut table = Table::new(&["VERDICT", "ASSET", ">AGE", ">RPO", "NEWEST", "COPIES", "PROOF"]);
    for asset in &health.assets {
        let (tone, proof) = words::proof(asset.proof.as_ref(), now);
        table.row([
            Cell::new(asset.verdict.into(), asset.verdict.to_string()),
            Cell::new(Tone::Strong, asset.id.as_str()),
            asset.age_seconds.map_or_else(|| "none".to_owned(), seconds).into(),
            asset.rpo_seconds.map_or_else(|| "none set".to_owned(), |s| seconds(s as i64)).into(),
            asset.newest.as_ref().map_or("no backup", BackupId::as_str).into(),
            asset.copies.total.to_string().into(),
            Cell::new(tone, proof),
        ]);
    }
    table.print(out)?;

    for asset in &health.assets {
        findings(&format!("asset {}", asset.id), &asset.findings, out)?;
    }
    for store in &health.stores {
        findings(&format!("store {}", store.id), &store.findings, out)?;
    }
    Ok(())
}

fn seconds(seconds: i64) -> String {
    let span = chrono::Duration::seconds(seconds);
    if seconds < 0 { format!("in {}", short_duration(span)) } else { short_duration(span) }
}

fn findings(of: &str, findings: &[Finding], out: &mut Output) -> eyre::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let of = out.toned(Tone::Strong, &escaped(of));
    out.line(&of)?;
    for finding in findings {
        let severity = out.toned(finding.severity.into(), &finding.severity.to_string());
        out.line(&format!("  {severity} {}: {}", escaped(&finding.rule), escaped(&finding.message)))?;
        for (name, value) in &finding.evidence {
            out.line(&format!("    {}: {}", escaped(name), escaped(value)))?;
        }
        if !finding.remedy.is_empty() {
            out.line(&format!("    next: {}", escaped(&finding.remedy)))?;
        }
    }
    Ok(())
}
