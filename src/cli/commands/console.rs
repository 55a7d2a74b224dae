//! No subcommand: the console.

use crate::cli::args::Colour;
use crate::cli::{Globals, Output, log};
use crate::report::{Exit, Fault};
use crate::session::{self, RunRow};
use crate::tui::{self, TuiError, TuiOptions};
use crate::wiring::Setup;
use color_eyre::eyre;
use std::io::IsTerminal as _;

pub async fn run(globals: &Globals, out: &mut Output) -> eyre::Result<Exit> {
    need_terminal()?;
    let setup = globals.setup().await?;
    let (exit, open_runs) = open(globals, &setup, false).await?;
    for run in open_runs {
        out.line(&format!("{} ({}) goes on without you: relight attach {}", run.title, run.status, run.id))?;
    }
    Ok(exit)
}

/// Refuses to start where nobody could see it.
pub fn need_terminal() -> eyre::Result<()> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return Ok(());
    }
    let fault = Fault::usage("the console needs a terminal on standard input and output");
    Err(fault.hint("without one: `relight health`, `relight catalog`; `relight --help` lists all").into())
}

/// The console over this estate, until the operator leaves it; and the runs that were not over then. Of those
/// that `runs_end` with it, it says so.
pub async fn open(globals: &Globals, setup: &Setup, runs_end: bool) -> eyre::Result<(Exit, Vec<RunRow>)> {
    let options = TuiOptions { runs_end, ..options(globals, setup) };
    let mut parts = setup.parts();
    let (_diverted, opened) = log::divert(&setup.state_dir);
    if let Err(error) = opened {
        parts
            .notes
            .push(format!("The log cannot be written to {}: {error}.", setup.state_dir.join(log::FILE).display()));
    }
    let session = session::start(parts);
    let view = session.handle.view.clone();
    let ended = tui::run(session.handle, options).await;
    // Its tasks are told to stop, and are waited for a little.
    let _ = session.done.await;
    match ended {
        Ok(tui::Exit::Quit) => {}
        Ok(tui::Exit::Signal(_) | tui::Exit::TerminalGone) => return Ok((Exit::Interrupted, Vec::new())),
        Ok(tui::Exit::SessionGone) => return Err(Fault::new(Exit::Critical, "the session ended unexpectedly").into()),
        Err(error @ TuiError::NoTerminal) => return Err(Fault::usage(error.to_string()).into()),
        Err(error @ (TuiError::Theme(_) | TuiError::Keys(_))) => {
            let fault = Fault::new(Exit::Config, error.to_string());
            return Err(fault.hint("correct [ui] in the configuration, or the --theme flag").into());
        }
        Err(error) => return Err(error.into()),
    }
    let open = view.borrow().runs.iter().filter(|run| !run.over).cloned().collect();
    Ok((Exit::Fine, open))
}

fn options(globals: &Globals, setup: &Setup) -> TuiOptions {
    let no_colour = globals.color == Colour::Never;
    let mut options = TuiOptions::from_environment(setup.clock.clone(), no_colour, |name| std::env::var(name).ok());
    if let Some(theme) = globals.theme.as_ref().or(setup.ui.theme.as_ref()) {
        options.theme.clone_from(theme);
    }
    if let Some(ascii) = setup.ui.ascii {
        options.ascii = ascii;
    }
    options.mouse = setup.ui.mouse;
    options.keys = setup.ui.keys.iter().cloned().collect();
    options
}
