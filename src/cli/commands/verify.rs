//! `relight verify`: raises the proof of one backup and records it.

use crate::cli::scan::scan;
use crate::cli::working::Work;
use crate::cli::{Globals, Output, Tone, choose};
use crate::model::proof::{Level, ProofRecord};
use crate::model::task::{Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::proof::Ledger;
use crate::report::{Exit, Fault};
use color_eyre::eyre;
use serde::Serialize;
use serde_json::json;

/// Read one copy of a backup once, say how far it is proven, and record it
///
/// 0 the level is reached, 2 the backup is bad, 3 it could not be found out.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: choose::Which,
    /// L1 plausible, L2 checksum matches, L3 container opens, L4 contents listed
    #[arg(long, value_name = "LEVEL", default_value = "L4", value_parser = level)]
    level: Level,
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
    let (backup, store) = args.which.find(&scanned.catalog, &setup.estate)?;
    let mut input = Values::new();
    input.insert("backup".to_owned(), json!(backup));
    input.insert("store".to_owned(), json!(store));
    input.insert("level".to_owned(), json!(args.level.to_string()));

    let started = setup.clock.now();
    let outcome =
        Work { setup: &setup, module: "backup.verify", doing: "verifying" }.run(scanned, &input, !globals.json).await?;
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
        out.way_out(failure)?;
    }
    Ok(())
}
