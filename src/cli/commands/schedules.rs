//! `relight schedules`: the jobs that make and remove backups, as their hosts really schedule them.

use crate::catalog::Catalog;
use crate::cli::table::{Cell, Table};
use crate::cli::{Globals, Output, Tone, words};
use crate::model::estate::Job;
use crate::model::id::AssetId;
use crate::model::text::escaped;
use crate::report::Exit;
use crate::tasks::input::Stop;
use crate::tasks::schedules::{Seen, State, look};
use crate::tasks::{Cancel, Owner, TaskFeed};
use chrono_tz::Tz;
use color_eyre::eyre;
use serde::Serialize;
use std::sync::Arc;

/// Show the scheduled backup jobs of the estate as their hosts have them: when they run, and which do not
///
/// Reads the crontabs and timers that `[[jobs]]` names. 0 all will run, 1 one is paused or stopped or two begin
/// together, 2 nothing runs a job, 3 a host could not be asked.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Body<'a> {
    jobs: &'a [Seen],
    /// Assets with expected backups, for which no job is configured.
    assets_without_a_job: &'a [AssetId],
}

pub async fn run(globals: &Globals, _args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let parts = setup.parts();
    let owner = Owner::new("console", "schedules");
    let cx = parts.task_context(Arc::new(Catalog::default()), owner, TaskFeed::silent(), Cancel::default());
    let jobs: Vec<&Job> = setup.estate.jobs.iter().collect();
    let seen = match look(&cx, &jobs).await {
        Ok(seen) => seen,
        Err(Stop::Failed(failure) | Stop::Unknown(failure)) => return Err(failure.into()),
        Err(Stop::Cancelled(_)) => return Ok(Exit::Interrupted),
    };
    let is_expected = |id: &AssetId| {
        setup.estate.asset(id).is_some_and(|asset| asset.sources.iter().any(|source| source.schedule.is_some()))
    };
    let assets = setup.estate.assets.iter().map(|asset| &asset.id);
    let without: Vec<AssetId> =
        assets.filter(|id| is_expected(id) && !jobs.iter().any(|job| job.assets.contains(id))).cloned().collect();
    if out.json {
        out.document("schedules", 1, setup.clock.now(), &Body { jobs: &seen, assets_without_a_job: &without })?;
    } else {
        text(&seen, &without, setup.estate.time_zone, out)?;
    }
    Ok(verdict(&seen))
}

fn verdict(seen: &[Seen]) -> Exit {
    let any = |state| seen.iter().any(|seen| seen.state == state);
    if any(State::Missing) {
        Exit::Critical
    } else if any(State::Unknown) {
        Exit::Unknown
    } else if any(State::Paused) || any(State::Stopped) || seen.iter().any(|seen| !seen.notes.is_empty()) {
        Exit::Warning
    } else {
        Exit::Fine
    }
}

fn text(seen: &[Seen], without: &[AssetId], zone: Tz, out: &mut Output) -> eyre::Result<()> {
    let mut table = Table::new(&["", "job", "host", "when", "next", "last due"]);
    let instant = |at: Option<_>| at.map_or_else(|| "-".to_owned(), |at| words::instant(at, zone));
    for row in seen {
        let (tone, word) = match row.state {
            State::On => (Tone::Good, "on"),
            State::Paused => (Tone::Warning, "paused"),
            State::Stopped => (Tone::Warning, "stopped"),
            State::Missing => (Tone::Critical, "missing"),
            State::Unknown => (Tone::Unknown, "unknown"),
        };
        table.row([
            Cell::new(tone, word),
            row.job.as_str().into(),
            row.host.as_str().into(),
            row.when.as_str().into(),
            instant(row.next).into(),
            instant(row.last).into(),
        ]);
    }
    if table.is_empty() {
        out.line("no jobs are configured: [[jobs]] names what makes backups, and where it is scheduled")?;
    } else {
        table.print(out)?;
    }
    for row in seen {
        for note in &row.notes {
            out.line(&format!("  {}: {}", row.job, escaped(note)))?;
        }
    }
    for asset in without {
        out.line(&format!("  {asset}: backups are expected, and no job is configured that makes them"))?;
    }
    Ok(())
}
