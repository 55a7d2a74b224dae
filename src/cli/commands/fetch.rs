//! `relight fetch`: one backup as a file or folder on this machine.

use crate::cli::scan::scan;
use crate::cli::working::Work;
use crate::cli::{Globals, Output, Tone, choose};
use crate::model::size::ByteCount;
use crate::model::task::{Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::report::{Exit, Fault};
use color_eyre::eyre;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// Write one copy of a backup to this machine, as it lies in its store, and check it as it comes
///
/// Nothing is replaced. What came before a break is kept: the same command goes on from there. 0 it is there and is what
/// was recorded, 1 it is there and nothing was recorded to compare it with, 2 its bytes are wrong or cannot be had,
/// 3 it could not be found out.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: choose::Which,
    /// The new file or folder, or a folder that is there and that it is to lie in
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
}

#[derive(Serialize)]
struct Body<'a> {
    backup: &'a str,
    /// Where it is and what it was compared with, if it is there.
    fetched: Option<&'a Values>,
    failure: Option<&'a Failure>,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let to = std::path::absolute(&args.to)?;
    let (setup, scanned) = scan(globals).await?;
    let (backup, store) = args.which.find(&scanned.catalog, &setup.estate)?;
    let mut input = Values::new();
    input.insert("backup".to_owned(), json!(backup));
    input.insert("store".to_owned(), json!(store));
    input.insert("into".to_owned(), json!(to.is_dir()));
    input.insert("to".to_owned(), json!(to));

    let work = Work { setup: &setup, module: "backup.fetch", doing: "fetching" };
    let outcome = work.run(scanned, &input, !globals.json).await?;
    let (exit, fetched, failure) = match &outcome {
        TaskOutcome::Done { output } => (if compared(output) { Exit::Fine } else { Exit::Warning }, Some(output), None),
        TaskOutcome::Failed { failure } => (Exit::Critical, None, Some(failure)),
        TaskOutcome::Unknown { failure } => (Exit::Unknown, None, Some(failure)),
        TaskOutcome::Cancelled { .. } => {
            let kept = "stopped; what came so far is kept, and the same command goes on from there";
            return Err(Fault::new(Exit::Interrupted, kept).into());
        }
    };
    if out.json {
        out.document("fetch", 1, setup.clock.now(), &Body { backup: backup.as_str(), fetched, failure })?;
    } else if let Some(failure) = failure {
        told(failure, exit, out)?;
    } else if let Some(fetched) = fetched {
        there(fetched, exit, out)?;
    }
    Ok(exit)
}

fn word<'v>(values: &'v Values, name: &str) -> &'v str {
    values.get(name).and_then(|value| value.as_str()).unwrap_or_default()
}

fn compared(output: &Values) -> bool {
    output.get("compared").and_then(serde_json::Value::as_bool) == Some(true)
}

fn there(fetched: &Values, exit: Exit, out: &mut Output) -> eyre::Result<()> {
    let number = |name: &str| fetched.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
    let tone = if exit == Exit::Fine { Tone::Good } else { Tone::Warning };
    let head = out.toned(tone, &format!("fetched: {} to {}", word(fetched, "backup"), escaped(word(fetched, "to"))));
    out.line(&head)?;
    let mut fact = |name: &str, value: &str| out.line(&format!("  {name:<12} {}", escaped(value)));
    fact("copy", &format!("{} in store {}", word(fetched, "path"), word(fetched, "store")))?;
    let files = if number("files") == 1 { "1 file".to_owned() } else { format!("{} files", number("files")) };
    fact("size", &format!("{}, {files}", ByteCount(number("size_bytes"))))?;
    if number("kept_bytes") > 0 {
        fact("earlier", &format!("{} of it had come in an earlier attempt", ByteCount(number("kept_bytes"))))?;
    }
    if !word(fetched, "sha256").is_empty() {
        fact("sha256", word(fetched, "sha256"))?;
    }
    Ok(fact("checked", word(fetched, "checked"))?)
}

fn told(failure: &Failure, exit: Exit, out: &mut Output) -> eyre::Result<()> {
    let tone = if exit == Exit::Critical { Tone::Critical } else { Tone::Unknown };
    let head = out.toned(tone, &format!("not fetched: {}", escaped(&failure.what)));
    out.line(&head)?;
    for line in &failure.evidence {
        out.line(&format!("  | {}", escaped(line)))?;
    }
    Ok(out.way_out(failure)?)
}
