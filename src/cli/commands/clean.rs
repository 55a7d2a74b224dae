//! `relight clean`: clears what a drill left behind, after its run is over.

use crate::catalog::Catalog;
use crate::cli::{Globals, Output, Tone};
use crate::model::text::escaped;
use crate::report::Exit;
use crate::runner::{clean, runs};
use color_eyre::eyre;
use serde::Serialize;
use std::sync::Arc;

/// Clear what a drill left behind, and look that it is gone
///
/// Removes only what carries the mark of that run. A run that is not over clears it itself at its end.
/// Exits with 2 if something is still there.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of a run, an unambiguous beginning or end of one, or `latest`
    run: String,
}

#[derive(Serialize)]
struct Body {
    cleared: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    title: String,
    gone: bool,
    why: Option<String>,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let folder = runs::choose(&setup.state_dir, &args.run)?;
    let ground = setup.ground(Arc::new(Catalog::default()));
    let cleared = clean::clean(&folder, &ground).await?;
    let all_gone = cleared.iter().all(|one| one.left.is_none());
    if out.json {
        let row = |one: clean::Cleared| Row {
            title: one.title,
            gone: one.left.is_none(),
            why: one.left.map(|failure| failure.what),
        };
        out.document("clean", 1, setup.clock.now(), &Body { cleared: cleared.into_iter().map(row).collect() })?;
    } else {
        for one in &cleared {
            match &one.left {
                None => out.line(&format!("{}: {}", out.toned(Tone::Good, "gone"), escaped(&one.title)))?,
                Some(failure) => {
                    let word = out.toned(Tone::Critical, "not cleared");
                    out.line(&format!("{word}: {}: {}", escaped(&one.title), escaped(&failure.what)))?;
                    for more in [&failure.meaning, &failure.next].into_iter().chain(&failure.evidence) {
                        out.line(&format!("  {}", escaped(more)))?;
                    }
                }
            }
        }
        if cleared.is_empty() {
            out.line(&format!("run {} owes nothing", folder.run))?;
        }
    }
    Ok(if all_gone { Exit::Fine } else { Exit::Critical })
}
