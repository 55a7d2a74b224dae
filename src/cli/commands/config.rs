//! `relight config`: check the configuration, say where it is, print what it means.

use crate::cli::{Globals, Output, Tone};
use crate::config;
use crate::located::Problems;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::report::Exit;
use color_eyre::eyre;
use serde::Serialize;
use serde_json::json;

/// Check, find or print the configuration
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show every problem at once, with line, caret and suggestion
    Check,
    /// Say which file is read, and where one is looked for
    Path,
    /// Print what the file means, with every default filled in; secrets are never read
    Print,
}

pub fn run(globals: &Globals, args: &Args, now: Timestamp, out: &mut Output) -> eyre::Result<Exit> {
    match args.what {
        What::Check => check(globals, now, out),
        What::Path => path(globals, now, out),
        What::Print => print(globals, now, out),
    }
}

#[derive(Serialize)]
struct ProblemRow {
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    help: Option<String>,
}

fn rows(problems: &Problems) -> Vec<ProblemRow> {
    let row = |(at, message, help): (Option<(usize, usize)>, String, Option<String>)| ProblemRow {
        line: at.map(|(line, _)| line),
        column: at.map(|(_, column)| column),
        message,
        help,
    };
    problems.rows().map(row).collect()
}

fn check(globals: &Globals, now: Timestamp, out: &mut Output) -> eyre::Result<Exit> {
    let path = config::find(globals.config.as_deref())?;
    let loaded = config::load(&path);
    if out.json {
        let problems = loaded.as_ref().err().map(rows).unwrap_or_default();
        let exit = if loaded.is_ok() { Exit::Fine } else { Exit::Config };
        let body = json!({ "file": path, "ok": loaded.is_ok(), "problems": problems });
        out.document("config-check", 1, now, &body)?;
        return Ok(exit);
    }
    let estate = loaded?.estate;
    let good = out.toned(Tone::Good, "ok");
    let name = path.display().to_string();
    let stores = counted(estate.stores.len(), "store");
    let assets = counted(estate.assets.len(), "asset");
    out.line(&format!("{}: {good}, {stores} and {assets}", escaped(&name)))?;
    Ok(Exit::Fine)
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn path(globals: &Globals, now: Timestamp, out: &mut Output) -> eyre::Result<Exit> {
    let path = std::path::absolute(config::find(globals.config.as_deref())?)?;
    if out.json {
        out.document("config-path", 1, now, &json!({ "file": path, "looked_at": config::places() }))?;
    } else {
        let name = path.display().to_string();
        out.line(&escaped(&name))?;
    }
    Ok(Exit::Fine)
}

fn print(globals: &Globals, now: Timestamp, out: &mut Output) -> eyre::Result<Exit> {
    let path = config::find(globals.config.as_deref())?;
    let estate = config::load(&path)?.estate;
    if out.json {
        out.document("config", 1, now, &json!({ "file": path, "estate": estate }))?;
    } else {
        let text = toml::to_string_pretty(&estate)?;
        for line in text.lines() {
            out.line(&escaped(line))?;
        }
    }
    Ok(Exit::Fine)
}
