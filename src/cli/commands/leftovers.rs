//! `relight leftovers`: scratch and set-aside databases that take space and that nobody lives in.

use crate::catalog::Catalog;
use crate::cli::table::{Cell, Table};
use crate::cli::{Globals, Output, Tone, words};
use crate::model::estate::{AssetKind, Server};
use crate::model::id::{RunId, ServerId};
use crate::model::size::ByteCount;
use crate::model::task::{Failure, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::report::Exit;
use crate::runner::{RunFolder, runs};
use crate::session::Parts;
use crate::tasks::pg::leftovers::{Leftover, Why};
use crate::tasks::{Cancel, Owner, TaskFeed};
use chrono_tz::Tz;
use color_eyre::eyre;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

/// List scratch and set-aside databases that are left on the servers; removes nothing
///
/// Those that runs made, restored or set aside carry a mark; others are known by the server's `leftovers`.
/// 0 none, 1 some, 3 a server could not be asked.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Body {
    servers: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    server: ServerId,
    /// Why it could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<Failure>,
    left: Vec<Leftover>,
}

pub async fn run(globals: &Globals, _args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let parts = setup.parts();
    let asked = futures::future::join_all(to_ask(&parts).map(|server| ask(&parts, server)));
    let rows: Vec<Row> = asked.await;
    let exit = if rows.iter().any(|row| row.unseen.is_some()) {
        Exit::Unknown
    } else if rows.iter().any(|row| !row.left.is_empty()) {
        Exit::Warning
    } else {
        Exit::Fine
    };
    if out.json {
        out.document("leftovers", 1, setup.clock.now(), &Body { servers: rows })?;
    } else {
        text(&parts, &rows, setup.estate.time_zone, out)?;
    }
    Ok(exit)
}

/// A standby holds what its primary holds: one of a pair is asked.
fn to_ask(parts: &Parts) -> impl Iterator<Item = &Server> {
    let servers = &parts.estate.servers;
    let follows = |server: &Server| {
        let before = servers.iter().take_while(|other| other.id != server.id);
        before.filter_map(|other| other.standby.as_ref()).any(|standby| *standby == server.id)
    };
    servers.iter().filter(move |server| server.kind == AssetKind::PostgreSql && !follows(server))
}

async fn ask(parts: &Parts, server: &Server) -> Row {
    let row = |unseen, left| Row { server: server.id.clone(), unseen, left };
    let Some(module) = parts.modules.get("pg.leftovers") else {
        return row(Some(Failure::new("there is no task module `pg.leftovers` in this version")), Vec::new());
    };
    let (owner, catalog) = (Owner::new("console", "leftovers"), Arc::new(Catalog::default()));
    let cx = parts.task_context(catalog, owner, TaskFeed::silent(), Cancel::default());
    let input: Values = [("server".to_owned(), json!(server.id))].into_iter().collect();
    match module.run(&cx, &input).await {
        TaskOutcome::Done { mut output } => match serde_json::from_value(output.remove("left").unwrap_or_default()) {
            Ok(left) => row(None, left),
            Err(error) => row(Some(Failure::new(format!("its answer cannot be read: {error}"))), Vec::new()),
        },
        TaskOutcome::Failed { failure } | TaskOutcome::Unknown { failure } => row(Some(failure), Vec::new()),
        TaskOutcome::Cancelled { .. } => row(Some(Failure::new("it was cancelled")), Vec::new()),
    }
}

fn text(parts: &Parts, rows: &[Row], zone: Tz, out: &mut Output) -> eyre::Result<()> {
    let mut table = Table::new(&["server", "database", "made", ">size", ">sessions", "what it is"]);
    for row in rows {
        for left in &row.left {
            table.row([
                row.server.as_str().into(),
                Cell::new(Tone::Strong, escaped(&left.database)),
                left.made_at.map_or_else(|| "unknown".to_owned(), |at| words::instant(at, zone)).into(),
                left.size_bytes.map_or_else(|| "unknown".to_owned(), |size| ByteCount(size).to_string()).into(),
                left.sessions.to_string().into(),
                what(parts, &left.why).into(),
            ]);
        }
    }
    let some = !table.is_empty();
    if some {
        table.print(out)?;
        out.line("Nothing was removed. Before you drop one: nobody uses it, and what it was kept for is proven.")?;
    } else if rows.iter().all(|row| row.unseen.is_none()) {
        out.line("no scratch or set-aside database is left")?;
    }
    for row in rows {
        if let Some(failure) = &row.unseen {
            let word = out.toned(Tone::Unknown, "not seen");
            out.line(&format!("{word}: {}: {}", row.server, escaped(&failure.what)))?;
            if !failure.next.is_empty() {
                out.line(&format!("  {}", escaped(&failure.next)))?;
            }
        }
    }
    Ok(())
}

fn what(parts: &Parts, why: &Why) -> String {
    match why {
        Why::Made { run } => format!("made by run {}", told(parts, run)),
        Why::Restored { run } => format!("restored and not swapped in by run {}", told(parts, run)),
        Why::Aside { run } => format!("the former live database, kept by run {}", told(parts, run)),
        Why::Named { pattern } => format!("named like {}", escaped(pattern)),
    }
}

/// The run with its status, where this machine knows it: a run that is not over may still need its database.
fn told(parts: &Parts, run: &str) -> String {
    let folder = RunFolder::of(&parts.state_dir, &RunId::from(run.to_owned()));
    // The mark is text from a server: only what is a run here becomes a path.
    let known = runs::choose(&parts.state_dir, run).is_ok_and(|found| found.run == folder.run);
    match known.then(|| runs::read(&folder)) {
        Some(entry) => format!("{} ({})", escaped(run), entry.word()),
        None => format!("{} (not known here)", escaped(run)),
    }
}
