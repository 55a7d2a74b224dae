//! A run followed to its end, or as far as someone stays: the dialogue, and what is said after it.

use super::lines::{Line, Lines};
use super::talk::{Dialogue, Ended, Options};
use super::verdict::{exit, verdict};
use crate::cli::{Output, Tone, run_document};
use crate::model::text::escaped;
use crate::report::Exit;
use crate::runbook::{Intent, RunState};
use crate::runner::{RunFolder, runs};
use crate::wiring::Setup;
use color_eyre::eyre;
use std::collections::VecDeque;
use std::sync::Arc;

/// Follows the run with lines on standard input and output. With `--json` the lines go to standard error,
/// and the document of the run comes at the end.
pub async fn follow(
    setup: &Setup,
    folder: &RunFolder,
    (lines, first): (&mut Lines, VecDeque<Intent>),
    options: Options,
    out: &mut Output,
) -> eyre::Result<Exit> {
    let mut told = Output::told();
    let said = if out.json { &mut told } else { &mut *out };
    let dialogue = Dialogue {
        folder,
        actor: &setup.actor,
        clock: Arc::clone(&setup.clock),
        zone: setup.estate.time_zone,
        options,
        lines,
        out: said,
        first,
    };
    let (ended, state) = dialogue.talk().await?;
    let exit = last_words(setup, folder, &ended, state.as_ref(), said)?;
    said.finish()?;
    if out.json {
        run_document::print(folder, setup.clock.now(), out)?;
    }
    Ok(exit)
}

/// Whether the operator starts the plan that was just shown: only the word does it.
pub async fn agreed(lines: &mut Lines, out: &mut Output) -> eyre::Result<bool> {
    out.line("")?;
    out.line(&out.toned(Tone::Strong, "Start this plan? yes/no"))?;
    out.finish()?;
    loop {
        match lines.next().await {
            Some(Line::Text(line)) if line.is_empty() => {}
            Some(Line::Text(line)) => return Ok(line == "yes"),
            Some(Line::TooLong) | None => return Ok(false),
        }
    }
}

fn last_words(
    setup: &Setup,
    folder: &RunFolder,
    ended: &Ended,
    state: Option<&RunState>,
    out: &mut Output,
) -> eyre::Result<Exit> {
    let run = escaped(folder.run.as_str()).into_owned();
    match ended {
        Ended::Over => return over(setup, folder, out),
        Ended::Waits => {
            let what = state.map_or("waits", |state| state.status.word());
            let word = out.toned(Tone::Strong, "The run waits");
            out.line("")?;
            out.line(&format!("{word} ({what}): standard input has ended, and nothing starts by itself."))?;
            out.line(&format!("  next: relight attach {run}"))?;
        }
        Ended::Detached | Ended::Interrupted => {
            out.line("")?;
            out.line("You left; the run goes on in its own process, to its next question at the most.")?;
            out.line(&format!("  next: relight attach {run}"))?;
        }
        Ended::Lost(_) if runs::read(folder).fenced_off().is_some() => {
            let entry = runs::read(folder);
            let word = out.toned(Tone::Critical, "FENCED OFF");
            out.line("")?;
            out.line(&format!("{word}: {}", escaped(entry.fenced_off().unwrap_or_default())))?;
            out.line("  Someone else holds the lock of this run: nothing more happens here.")?;
            out.line("  next: relight runs")?;
        }
        Ended::Lost(why) => {
            let word = out.toned(Tone::Unknown, "RUNNER LOST");
            out.line("")?;
            out.line(&format!("{word}: {}", escaped(why)))?;
            out.line("  The run is not over. Whether the step that ran took effect is found out on resuming.")?;
            out.line(&format!("  next: relight resume {run}"))?;
        }
    }
    Ok(if *ended == Ended::Interrupted { Exit::Interrupted } else { Exit::Unknown })
}

/// The verdict of a run that is over, from its journal.
pub fn over(setup: &Setup, folder: &RunFolder, out: &mut Output) -> eyre::Result<Exit> {
    let state = runs::read(folder).state.map_err(|why| crate::report::Fault::new(Exit::Unknown, why))?;
    verdict(&state, setup.clock.now(), out)?;
    Ok(exit(&state.status))
}
