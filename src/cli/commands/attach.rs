//! `relight attach`: the dialogue with a run that goes on already.

use super::run::Arming;
use crate::cli::dialogue::{self, Lines};
use crate::cli::{Globals, Output, elsewhere, run_document};
use crate::model::text::escaped;
use crate::report::{Exit, Fault};
use crate::runner::{RunEntry, RunFolder, RunnerError, runs};
use crate::wiring::Setup;
use color_eyre::eyre;
use std::collections::VecDeque;

/// Follow a run and answer its questions
///
/// For a run that is over, its verdict.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of a run, an unambiguous beginning or end of one, or `latest`
    run: String,
    #[command(flatten)]
    arming: Arming,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let folder = match runs::choose(&setup.state_dir, &args.run) {
        Err(RunnerError::NoRun(text)) => return watch(&setup, &text, out).await,
        chosen => chosen?,
    };
    let entry = runs::read(&folder);
    fenced(&entry)?;
    if entry.is_lost() {
        let fault = Fault::new(Exit::Unknown, format!("run {} has lost its runner: nothing goes on", folder.run));
        return Err(fault.hint(format!("relight resume {}", folder.run)).into());
    }
    join(&setup, &folder, &args.arming, out).await
}

/// A run of another machine: where it stands, and that acting on it needs more.
async fn watch(setup: &Setup, text: &str, out: &mut Output) -> eyre::Result<Exit> {
    let away = elsewhere::all(setup).await?;
    let Some(run) = elsewhere::choose(&away, text) else {
        return Err(RunnerError::NoRun(text.to_owned()).into());
    };
    if let Ok(state) = &run.state {
        dialogue::plan(&state.plan, setup.estate.time_zone, out)?;
        for step in &state.steps {
            let why = step.why.as_deref().map(|why| format!(": {}", escaped(why))).unwrap_or_default();
            out.line(&format!("  {}: {}{why}", escaped(step.id.as_str()), step.state))?;
        }
        if let Some(question) = &state.question {
            out.line(&format!("It asks there: {}", escaped(&question.title)))?;
        }
    }
    elsewhere::print(std::slice::from_ref(run), setup.clock.now(), out)?;
    Ok(Exit::Warning)
}

/// A copy of a run that someone else took over does nothing any more.
pub fn fenced(entry: &RunEntry) -> Result<(), Fault> {
    let Some(why) = entry.fenced_off() else { return Ok(()) };
    let run = &entry.folder.run;
    let fault = Fault::new(Exit::Unknown, format!("this copy of run {run} is fenced off: {why}"));
    Err(fault.hint(format!(
        "it goes on where it was taken to; to bring it back here: relight runs --take-over {run} --reason WHY"
    )))
}

/// The dialogue with a run whose runner lives, or the verdict of one that is over.
pub async fn join(setup: &Setup, folder: &RunFolder, arming: &Arming, out: &mut Output) -> eyre::Result<Exit> {
    let options = arming.options()?;
    let state = runs::read(folder).state.map_err(|why| {
        Fault::new(Exit::Critical, why).hint(format!("`relight journal verify {}` names what is wrong", folder.run))
    })?;
    if state.status.is_over() {
        if out.json {
            let exit = dialogue::exit(&state.status);
            run_document::print(folder, setup.clock.now(), out)?;
            return Ok(exit);
        }
        return dialogue::over(setup, folder, out);
    }
    let mut told = Output::told();
    let said = if out.json { &mut told } else { &mut *out };
    dialogue::plan(&state.plan, setup.estate.time_zone, said)?;
    said.line(&format!("Run {}", folder.run))?;
    said.finish()?;
    dialogue::follow(setup, folder, (&mut Lines::of_stdin(), VecDeque::new()), options, out).await
}
