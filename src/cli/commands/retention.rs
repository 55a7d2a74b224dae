//! `relight retention`: what the policy keeps, what it lets go and why, and where reality differs. A dry run: it
//! removes nothing.

use crate::cli::scan::{scan, seen};
use crate::cli::table::{Cell, Table};
use crate::cli::{Globals, Output, Tone, choose, words};
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::objective::Retention;
use crate::model::size::ByteCount;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::report::Exit;
use crate::retention::{Class, Missing, SourcePlan, Verdict, plan};
use chrono_tz::Tz;
use color_eyre::eyre;
use serde::Serialize;

/// Show what the retention of each source keeps and lets go, each with its reason; removes nothing
///
/// 0 as the policy asks, 1 something should be gone or is missing, 3 a store could not be seen.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this asset
    asset: Option<String>,
    /// List what is kept, too
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    sources: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    asset: &'a AssetId,
    store: &'a StoreId,
    #[serde(rename = "match")]
    pattern: &'a str,
    policy: Option<Retention>,
    keep: u64,
    expire: u64,
    expire_bytes: u64,
    items: Vec<ItemRow<'a>>,
    missing: &'a [Missing],
}

#[derive(Serialize)]
struct ItemRow<'a> {
    backup: &'a BackupId,
    path: &'a str,
    taken_at: Timestamp,
    size_bytes: u64,
    verdict: Verdict,
    reasons: &'a [String],
}

impl<'a> Row<'a> {
    fn new(plan: &'a SourcePlan<'a>) -> Self {
        let items: Vec<ItemRow<'a>> = plan
            .items
            .iter()
            .map(|item| ItemRow {
                backup: &item.backup.id,
                path: &item.copy.path,
                taken_at: item.backup.taken_at,
                size_bytes: item.copy.size_bytes,
                verdict: item.verdict,
                reasons: &item.reasons,
            })
            .collect();
        let expire = plan.expiring().count() as u64;
        Self {
            asset: plan.asset,
            store: plan.store,
            pattern: plan.pattern,
            policy: plan.policy,
            keep: items.len() as u64 - expire,
            expire,
            expire_bytes: plan.expiring().map(|item| item.copy.size_bytes).sum(),
            items,
            missing: &plan.missing,
        }
    }
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let (setup, scanned) = scan(globals).await?;
    let only = args.asset.as_ref().map(|name| choose::asset(&setup.estate, name)).transpose()?;
    let now = setup.clock.now();
    let assets = setup.estate.assets.iter().filter(|asset| only.as_ref().is_none_or(|id| *id == asset.id));
    let plans: Vec<SourcePlan<'_>> =
        assets.flat_map(|asset| plan(asset, &setup.estate, &scanned.catalog, now)).collect();
    let rows: Vec<Row<'_>> = plans.iter().map(Row::new).collect();
    let amiss = rows.iter().any(|row| row.expire > 0 || !row.missing.is_empty());
    if out.json {
        out.document("retention", 1, now, &Body { sources: rows })?;
    } else {
        for row in &rows {
            text(row, args.all, setup.estate.time_zone, out)?;
        }
    }
    Ok(match seen(&scanned, out)? {
        Exit::Fine if amiss => Exit::Warning,
        exit => exit,
    })
}

fn text(row: &Row<'_>, all: bool, zone: Tz, out: &mut Output) -> eyre::Result<()> {
    let name = format!("{} in {}: {}", row.asset, row.store, row.pattern);
    let name = out.toned(Tone::Strong, &escaped(&name));
    let Some(policy) = &row.policy else {
        return Ok(out.line(&format!("{name}\n  no retention is set: all {} are kept", row.keep))?);
    };
    let asked = Class::ALL.into_iter().filter(|class| class.wanted(policy) > 0);
    let asked: Vec<String> = asked.map(|class| format!("{} {class}", class.wanted(policy))).collect();
    out.line(&format!("{name}\n  asked for {}", asked.join(", ")))?;
    let size = ByteCount(row.expire_bytes);
    out.line(&format!("  keeps {}, would let go {} ({size}); this is a dry run", row.keep, row.expire))?;
    if row.expire > 0 {
        let (asset, store) = (escaped(row.asset.as_str()), escaped(row.store.as_str()));
        out.line(&format!("  to remove them: relight run expire-backups --set asset={asset} --set store={store}"))?;
    }
    for missing in row.missing {
        let word = out.toned(Tone::Warning, "missing");
        out.line(&format!("  {word}: {} {}", missing.class, missing.period))?;
    }
    let mut table = Table::new(&["", "backup", "taken", ">size", "because"]);
    for item in row.items.iter().filter(|item| all || item.verdict == Verdict::Expire) {
        let (tone, word) = match item.verdict {
            Verdict::Keep => (Tone::Plain, "keep"),
            Verdict::Expire => (Tone::Warning, "expire"),
        };
        table.row([
            Cell::new(tone, word),
            item.backup.as_str().into(),
            words::instant(item.taken_at, zone).into(),
            ByteCount(item.size_bytes).to_string().into(),
            item.reasons.join(", ").into(),
        ]);
    }
    if !table.is_empty() {
        table.print(out)?;
    }
    Ok(())
}
