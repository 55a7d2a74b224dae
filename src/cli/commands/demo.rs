//! `relight demo`: a sandbox estate on this machine, and the console over it.

use super::console;
use crate::cli::{Globals, Output};
use crate::demo::{DemoError, Sandbox, Say, Wishes};
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::report::Exit;
use color_eyre::eyre;
use serde::Serialize;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Try Relight on a sandbox: real backups with real problems, on this machine alone
///
/// Needs nothing installed and touches nothing outside its folder. Where PostgreSQL's programs are found, a
/// private server runs on loopback and restoring its database is real; otherwise restoring files is.
/// Everything is gone afterwards, unless --dir names a folder; a second demo in that folder takes it up again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep the sandbox in this folder: empty, absent, or kept by an earlier demo
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the sandbox's servers up for other commands, without the console, until Ctrl-C
    #[arg(long)]
    serve: bool,
    /// An estate without problems
    #[arg(long, hide = true)]
    clean: bool,
}

/// What `--serve --json` prints once everything is up.
#[derive(Serialize)]
struct Served {
    config: String,
    state: String,
    folder: String,
    database: bool,
    lacks: Vec<String>,
}

pub async fn run(globals: &Globals, args: &Args, now: Timestamp, out: &mut Output) -> eyre::Result<Exit> {
    if !args.serve {
        console::need_terminal()?;
    }
    let mut stops = Stops::new()?;
    let Some(sandbox) = build(args, now, &mut stops).await? else { return Ok(Exit::Interrupted) };
    let ended = if args.serve { serve(&sandbox, now, out, &mut stops).await } else { show(globals, &sandbox).await };
    farewell(sandbox).await?;
    ended
}

/// The sandbox, or nothing where a signal ended its making; then it is gone already.
async fn build(args: &Args, now: Timestamp, stops: &mut Stops) -> eyre::Result<Option<Sandbox>> {
    let wishes = Wishes { dir: args.dir.clone(), clean: args.clean };
    let stop = Arc::new(AtomicBool::new(false));
    let say: Say = Arc::new(tell);
    let making = Sandbox::build(wishes, now, say, Arc::clone(&stop));
    tokio::pin!(making);
    tokio::select! {
        made = &mut making => return Ok(Some(made?)),
        () = stops.any() => {}
    }
    tell("Interrupted: taking the sandbox down again");
    stop.store(true, Ordering::Relaxed);
    match making.await {
        Ok(sandbox) => {
            farewell(sandbox).await?;
            Ok(None)
        }
        // The programs that it had started may have heard the same signal and failed first.
        Err(_) => Ok(None),
    }
}

async fn serve(sandbox: &Sandbox, now: Timestamp, out: &mut Output, stops: &mut Stops) -> eyre::Result<Exit> {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let (config, state) = (text(sandbox.config()), text(sandbox.state_dir()));
    if out.json {
        let folder = text(sandbox.folder().to_owned());
        let lacks = sandbox.lacks().to_vec();
        out.document("demo", 1, now, &Served { config, state, folder, database: sandbox.has_database(), lacks })?;
    } else {
        for line in sandbox.lacks() {
            out.line(&escaped(line))?;
        }
        let call = format!("relight --config {} --state {}", escaped(&config), escaped(&state));
        out.line(&format!("The sandbox is up: {}", escaped(&config)))?;
        out.line(&format!("  {call} health"))?;
        out.line(&format!("  {call} catalog"))?;
        let runbook = if sandbox.has_database() { "restore-postgres" } else { "restore-files" };
        let asset = if sandbox.has_database() { "orders-db" } else { "uploads" };
        out.line(&format!("  {call} run {runbook} --set asset={asset} --plain"))?;
        out.line("Ctrl-C ends it.")?;
    }
    out.finish()?;
    stops.any().await;
    Ok(Exit::Fine)
}

async fn show(globals: &Globals, sandbox: &Sandbox) -> eyre::Result<Exit> {
    let globals = Globals { config: Some(sandbox.config()), state: Some(sandbox.state_dir()), ..globals.clone() };
    let mut setup = globals.setup().await?;
    setup.notes.extend(sandbox.lacks().iter().cloned());
    let (exit, _) = console::open(&globals, &setup, true).await?;
    Ok(exit)
}

/// Takes the sandbox down and says what that ends.
async fn farewell(sandbox: Sandbox) -> Result<(), DemoError> {
    match sandbox.open_runs() {
        0 => {}
        1 => tell("One run was not over: its runner ends with the sandbox."),
        n => tell(&format!("{n} runs were not over: their runners end with the sandbox.")),
    }
    tell("Taking the sandbox down");
    let (kept, folder) = (sandbox.is_kept(), sandbox.folder().to_owned());
    sandbox.end().await?;
    if kept {
        let folder = folder.display();
        tell(&format!("Kept in {folder}; its servers are stopped. Up again: relight demo --dir {folder}"));
    } else {
        tell("The sandbox is gone.");
    }
    Ok(())
}

/// A line for people, beside what the command prints.
fn tell(line: &str) {
    // With standard error gone there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{}", escaped(line));
}

/// Signals that ask the program to end. From their creation on none of them ends it at once.
struct Stops([Signal; 3]);

impl Stops {
    fn new() -> std::io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    async fn any(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
