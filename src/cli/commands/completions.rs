//! `relight completions`: a script for the shell's completion.

use crate::cli::{Cli, Output};
use crate::report::Exit;
use clap::CommandFactory as _;
use color_eyre::eyre;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub struct Args {
    shell: clap_complete::Shell,
}

pub fn run(args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "relight", &mut script);
    out.raw(&script)?;
    Ok(Exit::Fine)
}
