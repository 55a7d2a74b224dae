//! `relight resume`: brings back the runner of a run that lost it.

use super::attach::{fenced, join};
use super::run::Arming;
use crate::cli::{Globals, Output};
use crate::report::Exit;
use crate::runner::{runs, spawn};
use color_eyre::eyre;

/// Bring back the runner of a run that lost it, and follow the run
///
/// What was running when the runner died is looked at first; nothing is done twice on a guess.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of a run, an unambiguous beginning or end of one, or `latest`
    run: String,
    #[command(flatten)]
    arming: Arming,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let folder = runs::choose(&setup.state_dir, &args.run)?;
    args.arming.options()?;
    let entry = runs::read(&folder);
    fenced(&entry)?;
    // One that is over may still have to give back its lock.
    let ended = entry.state.as_ref().is_ok_and(|state| state.status.is_over());
    if entry.is_lost() || (ended && entry.runner.is_none()) {
        spawn::start(&folder, &setup.state_dir).await?;
    }
    join(&setup, &folder, &args.arming, out).await
}
