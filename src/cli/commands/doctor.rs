//! `relight doctor`: whether this machine could restore something tonight.

use crate::cli::doctor::{self, Check};
use crate::cli::table::{Cell, Table};
use crate::cli::{Globals, Output, Tone};
use crate::config;
use crate::health::Severity;
use crate::located::Problems;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::report::Exit;
use color_eyre::eyre;
use serde::Serialize;

/// Check tools, credentials, reachability, clocks and folders on this machine
///
/// 0 all is well, 1 a warning, 2 something is missing, 3 something did not answer, 78 the configuration is
/// unusable.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Body {
    version: &'static str,
    verdict: Severity,
    checks: Vec<Check>,
}

pub async fn run(globals: &Globals, _args: &Args, now: Timestamp, out: &mut Output) -> eyre::Result<Exit> {
    let (configuration, usable) = configuration(globals)?;
    let mut checks = vec![configuration];
    if usable {
        checks.extend(doctor::all(&globals.setup().await?).await);
    }
    let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Severity::Ok);
    if out.json {
        out.document("doctor", 1, now, &Body { version: env!("CARGO_PKG_VERSION"), verdict, checks })?;
    } else {
        text(&checks, out)?;
    }
    Ok(if usable { verdict.into() } else { Exit::Config })
}

fn configuration(globals: &Globals) -> eyre::Result<(Check, bool)> {
    let path = config::find(globals.config.as_deref())?;
    let name = path.display().to_string();
    Ok(match config::load(&path) {
        Ok(_) => (Check::good("configuration", name, "ok"), true),
        Err(problems) => (unusable(name, &problems), false),
    })
}

fn unusable(name: String, problems: &Problems) -> Check {
    let first = problems.lines().into_iter().next().unwrap_or_default();
    let detail = match problems.len() {
        1 => first,
        n => format!("{n} problems, the first: {first}"),
    };
    Check::new("configuration", name, Severity::Critical, detail).next("see them all with `relight config check`")
}

fn text(checks: &[Check], out: &mut Output) -> eyre::Result<()> {
    out.line(&format!("relight {}", env!("CARGO_PKG_VERSION")))?;
    let mut table = Table::new(&["VERDICT", "SUBJECT", "NAME", "SEEN"]);
    for check in checks {
        table.row([
            Cell::new(check.verdict.into(), check.verdict.to_string()),
            Cell::from(check.subject),
            Cell::new(Tone::Strong, &check.name),
            Cell::from(&check.detail),
        ]);
    }
    table.print(out)?;
    for check in checks.iter().filter(|check| !check.next.is_empty()) {
        out.line(&format!("next, for {} {}: {}", check.subject, escaped(&check.name), escaped(&check.next)))?;
    }
    Ok(())
}
