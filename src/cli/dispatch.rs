//! From the command line to one subcommand, and from its end to an exit code.

use super::args::{Cli, Command};
use super::commands::{
    amend, another_point, approve, approver, attach, catalog, checklist, clean, completions, config, console, demo,
    doctor, fetch, handover, health, journal, leftovers, lesson, man, metrics, modules, plan, point, report, resume,
    retention, run, runner, runs, schedules, show, verify, watch, window,
};
use super::log;
use super::output::Output;
use crate::model::time::Clock as _;
use crate::report::Exit;
use crate::wiring::SystemClock;
use clap::Parser as _;
use clap::error::ErrorKind;
use color_eyre::eyre;
use std::process::ExitCode;
use std::time::Duration;

/// How long work that blocks a thread may hold up the end of the program: a store that hangs never lets go.
const LAST_WORK: Duration = Duration::from_secs(5);

/// The whole program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refused) => return usage(&refused).into(),
    };
    let outcome = crate::report::install().and_then(|()| {
        log::install(cli.globals.verbose);
        // The HTTP and PostgreSQL clients take the process's provider; a second install keeps the first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let outcome = runtime.block_on(run(&cli));
        runtime.shutdown_timeout(LAST_WORK);
        outcome
    });
    match outcome {
        Ok(exit) => exit.into(),
        Err(error) => crate::report::show(&error).into(),
    }
}

/// Help and version go to standard output and are fine; all else is a wrong call.
fn usage(refused: &clap::Error) -> Exit {
    // With the terminal gone there is nobody to tell.
    let _ = refused.print();
    match refused.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Fine,
        _ => Exit::Usage,
    }
}

async fn run(cli: &Cli) -> eyre::Result<Exit> {
    let globals = &cli.globals;
    let mut out = Output::new(globals);
    let now = SystemClock.now();
    let exit = match &cli.command {
        None => console::run(globals, &mut out).await?,
        Some(Command::Catalog(args)) => catalog::run(globals, args, &mut out).await?,
        Some(Command::Show(args)) => show::run(globals, args, &mut out).await?,
        Some(Command::Health(args)) => health::run(globals, args, &mut out).await?,
        Some(Command::Point(args)) => point::run(globals, args, &mut out).await?,
        Some(Command::Window(args)) => window::run(globals, args, &mut out).await?,
        Some(Command::Schedules(args)) => schedules::run(globals, args, &mut out).await?,
        Some(Command::Retention(args)) => retention::run(globals, args, &mut out).await?,
        Some(Command::Leftovers(args)) => leftovers::run(globals, args, &mut out).await?,
        Some(Command::Verify(args)) => verify::run(globals, args, &mut out).await?,
        Some(Command::Fetch(args)) => fetch::run(globals, args, &mut out).await?,
        Some(Command::Plan(args)) => plan::run(globals, args, &mut out).await?,
        Some(Command::Run(args)) => run::run(globals, args, &mut out).await?,
        Some(Command::Watch(args)) => watch::run(globals, args, &mut out).await?,
        Some(Command::Attach(args)) => attach::run(globals, args, &mut out).await?,
        Some(Command::Resume(args)) => resume::run(globals, args, &mut out).await?,
        Some(Command::Handover(args)) => handover::run(globals, args, &mut out).await?,
        Some(Command::AnotherPoint(args)) => another_point::run(globals, args, &mut out).await?,
        Some(Command::Amend(args)) => amend::run(globals, args, &mut out).await?,
        Some(Command::Approve(args)) => approve::run(globals, args, &mut out).await?,
        Some(Command::Approver(args)) => approver::run(args, &mut out)?,
        Some(Command::Runs(args)) => runs::run(globals, args, &mut out).await?,
        Some(Command::Report(args)) => report::run(globals, args, &mut out).await?,
        Some(Command::Lesson(args)) => lesson::run(globals, args, &mut out).await?,
        Some(Command::Clean(args)) => clean::run(globals, args, &mut out).await?,
        Some(Command::Checklist(args)) => checklist::run(globals, args, &mut out).await?,
        Some(Command::Journal(args)) => journal::run(globals, args, &mut out).await?,
        Some(Command::Metrics(args)) => metrics::run(globals, args, &mut out).await?,
        Some(Command::Modules(args)) => modules::run(args, now, &mut out)?,
        Some(Command::Doctor(args)) => doctor::run(globals, args, now, &mut out).await?,
        Some(Command::Demo(args)) => demo::run(globals, args, now, &mut out).await?,
        Some(Command::Config(args)) => config::run(globals, args, now, &mut out)?,
        Some(Command::Completions(args)) => completions::run(args, &mut out)?,
        Some(Command::Man(args)) => man::run(args, &mut out)?,
        Some(Command::Runner(args)) => runner::run(globals, args).await?,
    };
    out.finish()?;
    Ok(exit)
}
