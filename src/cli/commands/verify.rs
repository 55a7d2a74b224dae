//! `relight verify`: raises the proof of one backup and records it.

use crate::cli::scan::scan;
use crate::cli::{Globals, Output, Tone, choose};
use crate::model::proof::{Level, ProofRecord};
use crate::model::task::{CancelReason, Failure, Progress, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::proof::Ledger;
use crate::report::{Exit, Fault};
use crate::session::Scanned;
use crate::tasks::{Cancel, Owner, TaskContext, TaskFeed, table};
use crate::wiring::Setup;
use color_eyre::eyre;
use serde::Serialize;
use serde_json::json;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Read one copy of a backup once, say how far it is proven, and record it
///
/// 0 the level is reached, 2 the backup is bad, 3 it could not be found out.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An id, an unambiguous beginning of one, `latest` or `latest-proven`
    backup: String,
    /// L1 plausible, L2 checksum matches, L3 container opens, L4 contents listed
    #[arg(long, value_name = "LEVEL", default_value = "L4", value_parser = level)]
    level: Level,
    /// The store to read from; without it the best copy is taken
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
    /// The asset whose latest backup is meant
    #[arg(long, value_name = "NAME")]
    asset: Option<String>,
}

fn level(text: &str) -> Result<Level, String> {
    match text.parse()? {
        level @ (Level::L1 | Level::L2 | Level::L3 | Level::L4) => Ok(level),
        _ => Err("reading proves L1 to L4; L5 and L6 need a restore".to_owned()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    backup: &'a str,
    wanted: Level,
    reached: bool,
    /// The line that was added to the ledger, if one was.
    record: Option<&'a ProofRecord>,
    failure: Option<&'a Failure>,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let (setup, scanned) = scan(globals).await?;
    let asset = args.asset.as_deref().map(|name| choose::asset(&setup.estate, name)).transpose()?;
    let store = args.store.as_deref().map(|name| choose::store(&setup.estate, name)).transpose()?;
    let backup = choose::backup(&scanned.catalog, &setup.estate, &args.backup, asset.as_ref())?.id.clone();
    let mut input = Values::new();
    input.insert("backup".to_owned(), json!(backup));
    input.insert("store".to_owned(), json!(store));
    input.insert("level".to_owned(), json!(args.level.to_string()));

    let started = setup.clock.now();
    let outcome = work(&setup, scanned, &input, !globals.json).await?;
    let records = Ledger::in_state(&setup.state_dir).read()?.records;
    let record = records.iter().rev().find(|r| r.backup == backup && r.at >= started);
    let (exit, failure) = match &outcome {
        TaskOutcome::Done { .. } => (Exit::Fine, None),
        TaskOutcome::Failed { failure } => (Exit::Critical, Some(failure)),
        TaskOutcome::Unknown { failure } => (Exit::Unknown, Some(failure)),
        TaskOutcome::Cancelled { .. } => {
            return Err(Fault::new(Exit::Interrupted, "stopped; nothing was recorded").into());
        }
    };
    if out.json {
        let body = Body { backup: backup.as_str(), wanted: args.level, reached: failure.is_none(), record, failure };
        out.document("verify", 1, setup.clock.now(), &body)?;
    } else {
        text(record, failure, exit, out)?;
    }
    Ok(exit)
}

/// Runs the task module, with its progress on standard error and Ctrl-C as its end.
async fn work(setup: &Setup, scanned: Scanned, input: &Values, shown: bool) -> eyre::Result<TaskOutcome> {
    let (feed, progress, _lines) = TaskFeed::new(1);
    let cancel = Cancel::default();
    let cx = TaskContext {
        estate: Arc::clone(&setup.estate),
        stores: Arc::clone(&setup.stores),
        writable: Arc::clone(&setup.writable),
        catalog: Arc::new(scanned.catalog),
        clock: Arc::clone(&setup.clock),
        secrets: Arc::clone(&setup.secrets),
        actor: setup.actor.clone(),
        owner: Owner::new("console", "verify"),
        state_dir: setup.state_dir.clone(),
        work_dir: setup.state_dir.clone(),
        shelf: crate::tasks::Shelf::default(),
        feed,
        cancel: cancel.clone(),
    };
    let modules = table::all();
    let module = modules.get("backup.verify").ok_or_else(|| eyre::eyre!("the module `backup.verify` is missing"))?;
    let running = module.run(&cx, input);
    tokio::pin!(running);
    let shown = shown && std::io::stderr().is_terminal();
    let mut beat = tokio::time::interval(Duration::from_millis(250));
    let outcome = loop {
        tokio::select! {
            outcome = &mut running => break outcome,
            stopped = tokio::signal::ctrl_c() => {
                stopped?;
                cancel.cancel(CancelReason::Operator);
            }
            _ = beat.tick(), if shown => tell(&progress),
        }
    };
    if shown {
        // With standard error gone there is nobody to tell.
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    Ok(outcome)
}

fn tell(progress: &watch::Receiver<Progress>) {
    let progress = progress.borrow().clone();
    let _ = write!(std::io::stderr(), "\rverifying: {progress} {}\x1b[K", escaped(&progress.note));
}

fn text(record: Option<&ProofRecord>, failure: Option<&Failure>, exit: Exit, out: &mut Output) -> eyre::Result<()> {
    let (tone, word) = match exit {
        Exit::Fine => (Tone::Good, "proven"),
        Exit::Critical => (Tone::Critical, "BAD"),
        _ => (Tone::Unknown, "unknown"),
    };
    if let Some(record) = record {
        let head = format!("{word}: {} to {}", escaped(record.backup.as_str()), record.level);
        let head = out.toned(tone, &head);
        out.line(&head)?;
        let mut fact = |name: &str, value: &str| out.line(&format!("  {name:<12} {}", escaped(value)));
        fact("copy", &format!("{} in store {}", record.path, record.store))?;
        fact("found", &record.detail)?;
        if let Some(sha256) = &record.sha256 {
            fact("sha256", sha256)?;
        }
        for (name, value) in &record.facts {
            fact(&name.replace('_', " "), value)?;
        }
    }
    if let Some(failure) = failure {
        if record.is_none() {
            let head = out.toned(tone, &format!("{word}: {}", escaped(&failure.what)));
            out.line(&head)?;
        }
        for line in failure.evidence.iter().filter(|_| record.is_none()) {
            out.line(&format!("  | {}", escaped(line)))?;
        }
        out.line(&format!("  means: {}", escaped(&failure.meaning)))?;
        out.line(&format!("  next: {}", escaped(&failure.next)))?;
    }
    Ok(())
}
