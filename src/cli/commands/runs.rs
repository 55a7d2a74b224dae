//! `relight runs`: all runs of this machine's state folder.

use crate::cli::table::{Cell, Table};
use crate::cli::{Globals, Output, Tone, elsewhere, words};
use crate::journal::lease::LeaseError;
use crate::model::id::{RunId, RunbookId};
use crate::model::lease::Lease;
use crate::model::text::escaped;
use crate::model::time::{Timestamp, short_duration};
use crate::report::{Exit, Fault};
use crate::runbook::commit::Provisional;
use crate::runbook::{Debt, Mode};
use crate::runner::elsewhere::{Takeover, TakeoverError};
use crate::runner::{self, RunEntry, runs, spawn};
use crate::wiring::Setup;
use chrono_tz::Tz;
use color_eyre::eyre;
use serde::Serialize;
use std::io;

/// List all runs, newest first
///
/// Exits with 3 if a run's journal cannot be read, else with 1 if a run is recovered and its decision to commit is
/// overdue.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Take a run over from a machine that is lost, fencing its runner off, and bring it back here
    #[arg(long, value_name = "RUN", requires = "reason", conflicts_with = "free")]
    take_over: Option<String>,
    /// Free the lock of a run that nobody can bring back: its journal and its mirror are both lost
    #[arg(long, value_name = "RUN", requires = "reason")]
    free: Option<String>,
    /// Why it is taken over, or its lock freed; kept in the journal, of the next run that takes the lock if freed
    #[arg(long, value_name = "WHY")]
    reason: Option<String>,
    /// Do it also while its lease has not expired: its runner may act until it looks at the lease again
    #[arg(long)]
    before_expiry: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    runs: Vec<Row<'a>>,
    elsewhere: Vec<Away<'a>>,
}

/// A run that another machine holds.
#[derive(Serialize)]
struct Away<'a> {
    status: &'a str,
    lease: &'a Lease,
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a RunId,
    status: &'a str,
    over: bool,
    runner_pid: Option<u32>,
    runbook: Option<&'a RunbookId>,
    title: Option<&'a str>,
    mode: Option<Mode>,
    created_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    operator: Option<String>,
    question: Option<&'a str>,
    debts: &'a [Debt],
    #[serde(skip_serializing_if = "Option::is_none")]
    provisional: Option<&'a Provisional>,
    error: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn new(entry: &'a RunEntry) -> Self {
        let state = entry.state.as_ref().ok();
        Self {
            id: &entry.folder.run,
            status: entry.word(),
            over: state.is_some_and(|state| state.status.is_over()),
            runner_pid: entry.runner,
            runbook: state.map(|state| &state.plan.runbook),
            title: state.map(|state| state.plan.title.as_str()),
            mode: state.map(|state| state.plan.mode),
            created_at: state.map(|state| state.created_at),
            ended_at: state.and_then(|state| state.ended_at),
            operator: state.map(|state| state.operator.to_string()),
            question: state.and_then(|state| state.question.as_ref()).map(|question| question.title.as_str()),
            debts: state.map(|state| state.debts.as_slice()).unwrap_or_default(),
            provisional: state.filter(|state| state.is_provisional()).and_then(|state| state.provisional.as_ref()),
            error: entry.state.as_ref().err().map(String::as_str),
        }
    }
}

/// Runs that are recovered, and for whose commit the time has passed. How many they are.
fn overdue(entries: &[RunEntry], now: Timestamp, out: &mut Output) -> io::Result<usize> {
    let late = |entry: &RunEntry| Some((entry.folder.run.clone(), entry.state.as_ref().ok()?.overdue(now)?));
    let late: Vec<_> = entries.iter().filter_map(late).collect();
    if !late.is_empty() && !out.json {
        out.line("")?;
        out.line(&out.toned(Tone::Critical, "Recovered, not committed, and overdue: they hold until someone decides"))?;
        for (run, span) in &late {
            out.line(&format!("  {run}: for {} (relight attach {run})", short_duration(*span)))?;
        }
    }
    Ok(late.len())
}

/// What drills made and nobody has seen gone.
fn owed(entries: &[RunEntry], zone: Tz, out: &mut Output) -> io::Result<()> {
    let due = |entry: &'_ RunEntry| -> Vec<Debt> {
        let debts = entry.state.as_ref().map(|state| state.debts.clone()).unwrap_or_default();
        debts.into_iter().filter(Debt::is_due).collect()
    };
    let owing: Vec<(&RunEntry, Vec<Debt>)> =
        entries.iter().map(|entry| (entry, due(entry))).filter(|(_, due)| !due.is_empty()).collect();
    if owing.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.line(&out.toned(Tone::Critical, "Not cleared after drills"))?;
    for (entry, debts) in owing {
        for debt in debts {
            let since = words::instant(debt.since, zone);
            out.line(&format!("  {} since {since}, run {}", escaped(&debt.title), entry.folder.run))?;
        }
    }
    out.line("  `relight clean RUN` clears what a run that is over has left; others clear it themselves at their end")
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    if let (Some(run), Some(reason)) = (&args.take_over, &args.reason) {
        return take_over(&setup, run, reason, args.before_expiry, out).await;
    }
    if let (Some(run), Some(reason)) = (&args.free, &args.reason) {
        return free(&setup, run, reason, args.before_expiry, out).await;
    }
    if args.reason.is_some() || args.before_expiry {
        return Err(Fault::usage("--reason and --before-expiry go with --take-over or --free").into());
    }
    let (away, unseen) = match elsewhere::all(&setup).await {
        Ok(away) => (away, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let entries = runs::list(&setup.state_dir)?;
    if out.json {
        let away = away.iter().map(|run| Away {
            status: elsewhere::word(run),
            lease: &run.lease,
            error: run.state.as_ref().err().map(String::as_str),
        });
        let body = Body { runs: entries.iter().map(Row::new).collect(), elsewhere: away.collect() };
        out.document("runs", 1, setup.clock.now(), &body)?;
    } else {
        listed(&entries, &setup, out)?;
        owed(&entries, setup.estate.time_zone, out)?;
    }
    let late = overdue(&entries, setup.clock.now(), out)?;
    if !out.json {
        elsewhere::print(&away, setup.clock.now(), out)?;
    }
    if let Some(why) = &unseen {
        Output::told().line(&format!("warning: {}", escaped(why)))?;
    }
    let away_readable = away.iter().all(|run| run.state.is_ok()) && unseen.is_none();
    let readable = entries.iter().all(|entry| entry.state.is_ok());
    Ok(match (readable && away_readable, late) {
        (false, _) => Exit::Unknown,
        (true, 0) => Exit::Fine,
        (true, _) => Exit::Warning,
    })
}

/// Every run of this machine, one line each.
fn listed(entries: &[RunEntry], setup: &Setup, out: &mut Output) -> io::Result<()> {
    let mut table = Table::new(&["RUN", "STATUS", "MODE", "CREATED", "BY", "TITLE"]);
    for row in entries.iter().map(Row::new) {
        let tone = match row.status {
            "completed" => Tone::Good,
            "unreadable" | "runner lost" => Tone::Unknown,
            word if word.starts_with("aborted") => Tone::Critical,
            _ => Tone::Warning,
        };
        table.row([
            Cell::new(Tone::Strong, row.id.as_str()),
            Cell::new(tone, row.status),
            row.mode.map(|mode| mode.to_string()).unwrap_or_default().into(),
            row.created_at.map(|at| words::instant(at, setup.estate.time_zone)).unwrap_or_default().into(),
            row.operator.unwrap_or_default().into(),
            row.title.or(row.error).unwrap_or_default().into(),
        ]);
    }
    if table.is_empty() {
        out.line(&format!("no runs in {}", escaped(&setup.state_dir.to_string_lossy())))?;
    } else {
        table.print(out)?;
    }
    Ok(())
}

async fn take_over(setup: &Setup, text: &str, reason: &str, alive: bool, out: &mut Output) -> eyre::Result<Exit> {
    if reason.trim().is_empty() {
        return Err(Fault::usage("a takeover needs a reason: it is kept in the journal").into());
    }
    let away = elsewhere::all(setup).await?;
    let run = elsewhere::choose(&away, text).map_or_else(|| RunId::from(text), |found| found.lease.run.clone());
    let leases = setup.leases().await?;
    let wish = Takeover { run: &run, by: &setup.actor, reason: reason.trim(), alive, config: &setup.config_path };
    let folder =
        runner::elsewhere::take_over(&leases, &setup.state_dir, &wish, setup.clock.now()).await.map_err(refused)?;
    spawn::start(&folder, &setup.state_dir).await?;
    out.line(&format!("Run {run} is taken over; its old runner is fenced off."))?;
    out.line("  Files that it made for itself stay on the old machine. What it may have begun is looked at first.")?;
    out.line(&format!("  next: relight attach {run}"))?;
    Ok(Exit::Fine)
}

async fn free(setup: &Setup, text: &str, reason: &str, alive: bool, out: &mut Output) -> eyre::Result<Exit> {
    if reason.trim().is_empty() {
        return Err(Fault::usage("freeing a lock needs a reason: it is kept").into());
    }
    let away = elsewhere::all(setup).await?;
    let run = elsewhere::choose(&away, text).map_or_else(|| RunId::from(text), |found| found.lease.run.clone());
    let leases = setup.leases().await?;
    let wish = (&run, &setup.actor, reason.trim());
    let freed = runner::elsewhere::free(&leases, &setup.state_dir, wish, alive).await.map_err(refused)?;
    for lease in &freed {
        out.line(&format!("{} is free, under epoch {}.", escaped(&lease.scope), lease.epoch))?;
    }
    out.line(&format!("  Run {run} is fenced off for good. Nobody has looked at what it may have begun: look first."))?;
    out.line("  Your name and reason stay in the lock, and go into the journal of the next run that takes it.")?;
    Ok(Exit::Fine)
}

/// Why the lock stays where it is, and what to do about that.
fn refused(error: TakeoverError) -> Fault {
    match error {
        TakeoverError::Lease(LeaseError::Alive { .. }) => Fault::new(Exit::Usage, error.to_string())
            .hint("wait until it has expired; if you know that its runner is dead, add --before-expiry"),
        TakeoverError::Whole(run) => Fault::new(Exit::Usage, TakeoverError::Whole(run.clone()).to_string())
            .hint(format!("relight runs --take-over {run} --reason WHY")),
        other => Fault::new(Exit::Unknown, other.to_string()).hint("`relight runs` shows who holds what"),
    }
}
