//! The command line.

use super::commands::{
    amend, another_point, approve, approver, attach, catalog, checklist, clean, completions, config, demo, doctor,
    fetch, handover, health, journal, leftovers, lesson, man, metrics, modules, plan, point, report, resume, retention,
    run, runner, runs, schedules, show, verify, watch, window,
};
use crate::wiring::{self, Setup};
use clap::{Args, Parser, Subcommand, ValueEnum};
use color_eyre::eyre;
use std::path::PathBuf;

/// The console for the night when systems are dark: every backup, what is wrong, and the way back.
///
/// Without a command it opens the console.
#[derive(Debug, Parser)]
#[command(name = "relight", version, propagate_version = true, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 fine, 1 warning or a run with exceptions, 2 critical or failed, 3 unknown, \
                          64 usage, 78 configuration, 130 interrupted.";

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Globals {
    /// Configuration file [default: ./relight.toml, $XDG_CONFIG_HOME/relight/relight.toml, /etc/relight/relight.toml]
    #[arg(long, global = true, value_name = "FILE", env = "RELIGHT_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder of Relight's state [default: $XDG_STATE_HOME/relight]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// When to colour text
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    pub color: Colour,
    /// Theme of the console
    #[arg(long, global = true, value_name = "NAME")]
    pub theme: Option<String>,
    /// Say more on standard error, or in the state folder's relight.log while the console is open; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Globals {
    /// Reads the configuration that these flags name and prepares everything for a command.
    pub async fn setup(&self) -> eyre::Result<Setup> {
        wiring::setup(self.config.as_deref(), self.state.as_deref()).await
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Catalog(catalog::Args),
    Show(show::Args),
    Health(health::Args),
    Window(window::Args),
    Point(point::Args),
    Retention(retention::Args),
    Schedules(schedules::Args),
    Leftovers(leftovers::Args),
    Verify(verify::Args),
    Fetch(fetch::Args),
    Plan(plan::Args),
    Run(run::Args),
    Watch(watch::Args),
    Attach(attach::Args),
    Resume(resume::Args),
    Handover(handover::Args),
    AnotherPoint(another_point::Args),
    Amend(amend::Args),
    Approve(approve::Args),
    Approver(approver::Args),
    Runs(runs::Args),
    Report(report::Args),
    Clean(clean::Args),
    Lesson(lesson::Args),
    Checklist(checklist::Args),
    Journal(journal::Args),
    Metrics(metrics::Args),
    Modules(modules::Args),
    Doctor(doctor::Args),
    Demo(demo::Args),
    Config(config::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(hide = true)]
    Runner(runner::Args),
}
