//! `relight window`: the instants an asset can be restored to.

use crate::catalog::{Hole, Position, RecoveryWindow};
use crate::cli::documents::WindowRow;
use crate::cli::scan::{scan, seen};
use crate::cli::{Globals, Output, Tone, choose, words};
use crate::model::backup::Backup;
use crate::model::id::AssetId;
use crate::model::text::escaped;
use crate::model::time::{Timestamp, short_duration};
use crate::report::Exit;
use chrono_tz::Tz;
use color_eyre::eyre;
use serde::Serialize;

/// Show the instants to which an asset can be restored: earliest, latest, holes
///
/// 0 a window without holes, 1 holes, 2 nothing that is sure to be restorable, 3 a store could not be seen.
#[derive(Debug, clap::Args)]
pub struct Args {
    asset: String,
}

#[derive(Serialize)]
struct Body<'a> {
    asset: &'a AssetId,
    #[serde(flatten)]
    window: Option<WindowRow<'a>>,
    /// There is log of it, and no base backup that the log could roll forward, as far as a listing tells.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    log_without_base: bool,
    /// Base backups that are there nevertheless, and of which nothing but times tells where in the log they lie. Only a
    /// recovery reads it.
    #[serde(skip_serializing_if = "is_zero")]
    unplaced_bases: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let (setup, scanned) = scan(globals).await?;
    let asset = choose::asset(&setup.estate, &args.asset)?;
    let nothing = RecoveryWindow {
        asset: asset.clone(),
        earliest: None,
        latest: None,
        points: Vec::new(),
        spans: Vec::new(),
        holes: Vec::new(),
    };
    let window = scanned.catalog.window(&asset).unwrap_or(&nothing);
    let mut logs = scanned.catalog.logs.iter().filter(|log| log.asset == asset);
    let log_without_base = window.spans.is_empty() && logs.any(|log| !log.ranges.is_empty());
    let is_unplaced = |backup: &&Backup| {
        let place = Position::of(backup).filter(|place| place.start.is_none());
        backup.asset == asset && backup.complete != Some(false) && place.is_some()
    };
    let bases = if log_without_base { scanned.catalog.backups.iter().filter(is_unplaced).count() } else { 0 };
    if out.json {
        let body =
            Body { asset: &asset, window: Some(WindowRow::new(window)), log_without_base, unplaced_bases: bases };
        out.document("window", 1, setup.clock.now(), &body)?;
    } else {
        text(window, bases > 0, setup.estate.time_zone, setup.clock.now(), out)?;
        if bases > 0 {
            let word = out.toned(Tone::Warning, "not placed in the log");
            let bases = if bases == 1 { "a base backup".to_owned() } else { format!("{bases} base backups") };
            out.line(&format!("  there is log, and {bases}, {word} by the times of the files alone"))?;
            out.line("  a plan of recover-postgres reads the log itself, and tells what can be reached")?;
        } else if log_without_base {
            let word = out.toned(Tone::Critical, "no base backup");
            out.line(&format!("  there is log, and {word} that it continues: a dump cannot be rolled forward"))?;
        }
    }
    Ok(match seen(&scanned, out)? {
        Exit::Fine if window.latest.is_none() => Exit::Critical,
        Exit::Fine if !window.holes.is_empty() => Exit::Warning,
        exit => exit,
    })
}

/// Most single instants that text lists.
const SHOWN: usize = 12;

fn text(window: &RecoveryWindow, unsure: bool, zone: Tz, now: Timestamp, out: &mut Output) -> eyre::Result<()> {
    let name = out.toned(Tone::Strong, &escaped(window.asset.as_str()));
    let (Some(earliest), Some(latest)) = (window.earliest, window.latest) else {
        let nothing = if unsure { "nothing that is sure to be restorable" } else { "nothing to restore" };
        let nothing = out.toned(Tone::Critical, nothing);
        return Ok(out.line(&format!("{name}: {nothing}"))?);
    };
    let both = |at: Timestamp| {
        let (here, utc) = (words::instant(at, zone), words::instant(at, Tz::UTC));
        if zone == Tz::UTC { utc } else { format!("{here} ({utc})") }
    };
    out.line(&name)?;
    out.line(&format!("  earliest  {}, {} ago", both(earliest), words::age(earliest, now)))?;
    out.line(&format!("  latest    {}, {} ago", both(latest), words::age(latest, now)))?;
    for (from, to) in &window.spans {
        let (from_text, to_text) = (words::instant(*from, zone), words::instant(*to, zone));
        out.line(&format!("  any instant from {from_text} to {to_text} ({})", short_duration(*to - *from)))?;
    }
    let points = window.points.len();
    match points {
        0 => {}
        1 => out.line("  1 single instant:")?,
        _ => out.line(&format!("  {points} single instants, newest first:"))?,
    }
    for at in window.points.iter().rev().take(SHOWN) {
        out.line(&format!("    {}", words::instant(*at, zone)))?;
    }
    if points > SHOWN {
        out.line(&format!("    and {} older; --json lists them all", points - SHOWN))?;
    }
    for hole in &window.holes {
        let word = out.toned(Tone::Warning, "hole");
        out.line(&format!("  {word}: {}", describe(hole, zone)))?;
    }
    Ok(())
}

fn describe(hole: &Hole, zone: Tz) -> String {
    let (first, last) = (escaped(&hole.first), escaped(&hole.last));
    let between = match (hole.from, hole.to) {
        (Some(from), Some(to)) => format!(", between {} and {}", words::instant(from, zone), words::instant(to, zone)),
        _ => String::new(),
    };
    format!("{} segments missing on timeline {}, {first} to {last}{between}", hole.segments, hole.timeline)
}
