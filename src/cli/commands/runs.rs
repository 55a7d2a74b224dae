//! `relight runs`: all runs of this machine's state folder.

use crate::cli::table::{Cell, Table};
use crate::cli::{Globals, Output, Tone, words};
use crate::model::id::{RunId, RunbookId};
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::report::Exit;
use crate::runbook::Mode;
use crate::runner::{RunEntry, runs};
use color_eyre::eyre;
use serde::Serialize;

/// List all runs, newest first
///
/// Exits with 3 if a run's journal cannot be read.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Body<'a> {
    runs: Vec<Row<'a>>,
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
            error: entry.state.as_ref().err().map(String::as_str),
        }
    }
}

pub async fn run(globals: &Globals, _args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let entries = runs::list(&setup.state_dir)?;
    if out.json {
        let body = Body { runs: entries.iter().map(Row::new).collect() };
        out.document("runs", 1, setup.clock.now(), &body)?;
    } else {
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
    }
    let readable = entries.iter().all(|entry| entry.state.is_ok());
    Ok(if readable { Exit::Fine } else { Exit::Unknown })
}
