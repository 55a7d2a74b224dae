//! `relight man`: the manual page, of the program or of one subcommand.

use crate::cli::{Cli, Output};
use crate::located::nearest;
use crate::report::{Exit, Fault};
use clap::CommandFactory as _;
use color_eyre::eyre;

/// Print the manual page
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A subcommand; without it the program itself
    command: Option<String>,
}

pub fn run(args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let mut root = Cli::command();
    root.build();
    let page = match &args.command {
        None => root,
        Some(name) => {
            if let Some(found) = root.find_subcommand(name) {
                found.clone()
            } else {
                let names = root.get_subcommands().filter(|c| !c.is_hide_set()).map(clap::Command::get_name);
                let near = nearest(name, names).map(|near| format!("did you mean `{near}`?")).unwrap_or_default();
                return Err(Fault::usage(format!("there is no subcommand `{name}`")).hint(near).into());
            }
        }
    };
    let mut bytes = Vec::new();
    clap_mangen::Man::new(page).render(&mut bytes)?;
    out.raw(&bytes)?;
    Ok(Exit::Fine)
}
