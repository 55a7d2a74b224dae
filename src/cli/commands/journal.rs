//! `relight journal`: checks the journals of runs, and exports one.

use crate::cli::{Globals, Output, Tone};
use crate::event::wire::{VERSION, Wire};
use crate::journal::{self, HEAD, JOURNAL, JournalError};
use crate::model::id::RunId;
use crate::model::text::escaped;
use crate::report::Exit;
use crate::runbook::engine::{audit_approvals, replay};
use crate::runner::{RunFolder, RunnerError, runs};
use color_eyre::eyre;
use serde::Serialize;

/// Check or export the journals of runs
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check every line and the end of journals: all runs, or one
    ///
    /// One altered byte, a removed, added or moved line, and an end that was cut off are each named. Who can
    /// write both the journal and its head can cut off the end of both, or write both anew: that shows only
    /// against a copy kept elsewhere (an exported bundle, a mirror), and in approvals, whose signatures nobody
    /// else can make.
    ///
    /// Exits with 2 where a journal was altered or cut, 3 where one cannot be read.
    Verify {
        /// Id of a run, an unambiguous beginning or end of one, or `latest`
        run: Option<String>,
    },
    /// Print a run's events, one JSON document per line
    Export {
        /// Id of a run, an unambiguous beginning or end of one, or `latest`
        run: String,
    },
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    match &args.command {
        Command::Export { run } => export(&runs::choose(&setup.state_dir, run)?, out),
        Command::Verify { run } => {
            let folders = match run {
                Some(run) => vec![runs::choose(&setup.state_dir, run)?],
                None => runs::list(&setup.state_dir)?.into_iter().map(|entry| entry.folder).collect(),
            };
            let checked: Vec<Checked> = folders.iter().map(check).collect();
            if out.json {
                out.document("journal", 1, setup.clock.now(), &Body { runs: &checked })?;
            } else {
                text(&checked, out)?;
            }
            Ok(checked.iter().map(Checked::exit).max_by_key(|exit| severity(*exit)).unwrap_or(Exit::Fine))
        }
    }
}

const fn severity(exit: Exit) -> u8 {
    match exit {
        Exit::Fine => 0,
        Exit::Unknown => 1,
        _ => 2,
    }
}

#[derive(Serialize)]
struct Body<'a> {
    runs: &'a [Checked],
}

#[derive(Serialize)]
struct Checked {
    run: RunId,
    entries: u64,
    damage: Vec<Found>,
    /// The journal could not be read at all.
    error: Option<String>,
    /// A crash left half a line at the end, which was never acknowledged.
    torn: bool,
}

#[derive(Serialize)]
struct Found {
    file: String,
    /// Absent where it is not about one line.
    line: Option<u64>,
    what: String,
}

impl Checked {
    fn exit(&self) -> Exit {
        match (self.damage.is_empty(), &self.error) {
            (false, _) => Exit::Critical,
            (true, Some(_)) => Exit::Unknown,
            (true, None) => Exit::Fine,
        }
    }
}

fn check(folder: &RunFolder) -> Checked {
    let mut checked = Checked { run: folder.run.clone(), entries: 0, damage: Vec::new(), error: None, torn: false };
    let file = |name: &str| folder.path.join(name).display().to_string();
    match journal::verify(&folder.path) {
        Ok(verified) => {
            checked.entries = verified.entries;
            checked.torn = verified.torn;
            checked.damage.extend(verified.damage.into_iter().map(|damage| {
                let line = (damage.line > 0).then_some(damage.line);
                Found { file: file(if line.is_some() { JOURNAL } else { HEAD }), line, what: damage.what }
            }));
        }
        Err(JournalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            checked.damage.push(Found { file: file(JOURNAL), line: None, what: "the journal is missing".to_owned() });
        }
        Err(error) => checked.error = Some(error.to_string()),
    }
    if checked.exit() == Exit::Fine {
        // An unbroken chain may still hold a plan that is not the one its digest names.
        let replayed = journal::read(&folder.path).map(|events| {
            let state = replay(&events);
            (events, state)
        });
        match replayed {
            Ok((_, Err(error))) => {
                checked.damage.push(Found { file: file(JOURNAL), line: None, what: error.to_string() });
            }
            Ok((events, Ok(state))) => {
                let unsigned = audit_approvals(&events, &state.plan.approvers).into_iter();
                checked.damage.extend(unsigned.map(|(line, what)| Found {
                    file: file(JOURNAL),
                    line: Some(line),
                    what: escaped(&what).into_owned(),
                }));
            }
            Err(_) => {}
        }
    }
    checked
}

fn text(checked: &[Checked], out: &mut Output) -> eyre::Result<()> {
    if checked.is_empty() {
        out.line("no runs, so no journals")?;
    }
    for run in checked {
        let (tone, word) = match run.exit() {
            Exit::Fine => (Tone::Good, "intact"),
            Exit::Unknown => (Tone::Unknown, "UNREADABLE"),
            _ => (Tone::Critical, "DAMAGED"),
        };
        let word = out.toned(tone, word);
        out.line(&format!("{}: {word}, {} entries", escaped(run.run.as_str()), run.entries))?;
        for found in &run.damage {
            let line = found.line.map(|line| format!(", line {line}")).unwrap_or_default();
            out.line(&format!("  {}{line}: {}", escaped(&found.file), escaped(&found.what)))?;
        }
        if let Some(error) = &run.error {
            out.line(&format!("  {}", escaped(error)))?;
        }
        if run.torn {
            out.line("  half a line at the end, left by a crash; nothing was done on its account")?;
        }
    }
    Ok(())
}

fn export(folder: &RunFolder, out: &mut Output) -> eyre::Result<Exit> {
    #[derive(Serialize)]
    struct Record {
        schema: &'static str,
        #[serde(flatten)]
        wire: Wire,
    }
    for event in journal::read(&folder.path).map_err(RunnerError::from)? {
        out.record(&Record { schema: "relight.event/1", wire: Wire { v: VERSION, event } })?;
    }
    Ok(Exit::Fine)
}
