//! `relight runner`: the process behind one run. Started by the program itself, not by people.

use crate::catalog::{Catalog, cache};
use crate::cli::Globals;
use crate::model::id::RunId;
use crate::report::Exit;
use crate::runner::{self, RunFolder};
use color_eyre::eyre;
use std::sync::Arc;

/// Drive one run until it is over
#[derive(Debug, clap::Args)]
pub struct Args {
    run: String,
}

pub async fn run(globals: &Globals, args: &Args) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let folder = RunFolder::of(&setup.state_dir, &RunId::new(args.run.clone()));
    // The plan has pinned what it needs; a catalog that cannot be read takes nothing from the run.
    let catalog = match cache::load(&setup.state_dir.join("catalog.json")) {
        Ok(catalog) => catalog.unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "the kept catalog was not read");
            Catalog::default()
        }
    };
    let leases = setup.leases().await?;
    runner::run(folder, setup.ground(Arc::new(catalog)), leases).await?;
    Ok(Exit::Fine)
}
