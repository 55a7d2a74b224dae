//! `relight watch`: looks at a primary until it is lost, and then opens a run that waits for its operator.

use crate::cli::planning;
use crate::cli::{Globals, Output, Tone};
use crate::journal::lease::Leases;
use crate::model::text::escaped;
use crate::report::{Exit, Fault};
use crate::runbook::Runbook;
use crate::runner::Ground;
use crate::runner::watch::{Sight, Watcher, notify};
use crate::tasks::input::Stop;
use crate::tasks::vantage::State;
use crate::wiring::Setup;
use color_eyre::eyre;
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Watch a database's primary, and open a prepared run when it is lost
///
/// Looks from here, its host, its standby, the hosts of `vantage` and the application. When a row of looks says
/// down, the runbook is planned and begun: the run waits at its first question, read-only until someone arms it.
/// Silence is unknown, and never counts as down. It goes on watching until SIGTERM (exits with 0) or SIGINT.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of a runbook with a parameter that names the database, such as `failover-postgres`
    runbook: String,
    /// A parameter of the runbook; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// End with 2 as soon as a run was opened
    #[arg(long)]
    once: bool,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let mut stops = Stops { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? };
    let (setup, runbook, given) = planning::asked(globals, &args.runbook, &args.set).await?;
    let watcher = Watcher::new(&setup.estate, runbook.clone(), given, setup.watch.times)
        .map_err(|error| Fault::usage(error.to_string()))?;
    let leases = setup.leases().await?;
    let ground = setup.ground(Arc::default());
    let mut post = Post { globals, setup, runbook, leases, ground, watcher, out, untold: true };
    let (exit, why) = Box::pin(post.watch(args.once, &mut stops)).await?;
    post.tell(Sight::Ended { why: why.to_owned() })?;
    Ok(exit)
}

/// Both ways to be told to go.
struct Stops {
    term: Signal,
    int: Signal,
}

type Ending = (Exit, &'static str);

impl Stops {
    async fn told(&mut self) -> Ending {
        tokio::select! {
            _ = self.term.recv() => (Exit::Fine, "told to end (SIGTERM)"),
            _ = self.int.recv() => (Exit::Interrupted, "interrupted"),
        }
    }

    /// The work's result, unless someone says stop before it is there.
    async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ending> {
        tokio::select! {
            biased;
            ending = self.told() => Err(ending),
            done = work => Ok(done),
        }
    }
}

struct Post<'a> {
    globals: &'a Globals,
    setup: Setup,
    runbook: Runbook,
    leases: Leases,
    ground: Ground,
    watcher: Watcher,
    out: &'a mut Output,
    /// Nobody was told yet that no run can be opened for this outage.
    untold: bool,
}

impl Post<'_> {
    async fn watch(&mut self, once: bool, stops: &mut Stops) -> eyre::Result<Ending> {
        let every = self.setup.watch.every;
        self.tell(self.watcher.began(every, self.setup.watch.times))?;
        loop {
            let around = match stops.or(self.watcher.look(&self.ground)).await {
                Ok(Ok(around)) => around,
                Ok(Err(Stop::Failed(failure) | Stop::Unknown(failure))) => return Err(failure.into()),
                Ok(Err(Stop::Cancelled(_))) => return Ok((Exit::Interrupted, "cancelled")),
                Err(ending) => return Ok(ending),
            };
            let (sights, open) = self.watcher.judge(around, self.ground.clock.now());
            for sight in sights {
                if matches!(&sight, Sight::Looked { state: State::Up, .. } | Sight::RolesChanged { .. }) {
                    self.untold = true;
                }
                let alarm = matches!(sight, Sight::Split { .. });
                self.tell(sight.clone())?;
                if alarm && let Err(ending) = stops.or(self.call(&sight)).await {
                    return Ok(ending);
                }
            }
            if open {
                let opened = match Box::pin(self.open(stops)).await? {
                    Ok(sight) => matches!(sight, Sight::Opened { .. }),
                    Err(ending) => return Ok(ending),
                };
                if opened && once {
                    return Ok((Exit::Critical, "a run was opened"));
                }
            }
            if let Err(ending) = stops.or(tokio::time::sleep(every)).await {
                return Ok(ending);
            }
        }
    }

    /// Plans and opens the run, and tells of it. Once it is being made nothing interrupts that.
    async fn open(&mut self, stops: &mut Stops) -> eyre::Result<Result<Sight, Ending>> {
        let catalog = match stops.or(planning::catalog(self.globals, &self.setup, &self.runbook)).await {
            Ok(catalog) => catalog,
            Err(ending) => return Ok(Err(ending)),
        };
        let ground = self.setup.ground(Arc::new(catalog));
        let sight = match stops.or(self.watcher.plan(&ground)).await {
            Ok(Ok(plan)) => {
                let with = (self.setup.config_path.as_path(), self.setup.watch.operator.as_deref());
                self.watcher.open(&ground, &self.leases, with, &plan).await
            }
            Ok(Err(problems)) => Sight::NotOpened { problems },
            Err(ending) => return Ok(Err(ending)),
        };
        let opened = matches!(sight, Sight::Opened { .. });
        if opened || self.untold {
            self.tell(sight.clone())?;
            if let Err(ending) = stops.or(self.call(&sight)).await {
                return Ok(Err(ending));
            }
        }
        self.untold = false;
        Ok(Ok(sight))
    }

    /// Calls whom the configuration names.
    async fn call(&mut self, sight: &Sight) -> eyre::Result<()> {
        let argv = self.setup.watch.notify.clone();
        let Some(program) = argv.first() else { return Ok(()) };
        let run = match sight {
            Sight::Opened { run, .. } | Sight::Held { run, .. } => run.as_str(),
            _ => "",
        };
        let (asset, server) = (self.watcher.asset().to_string(), self.watcher.primary().to_string());
        let what = words(sight).1;
        let values = [("asset", asset.as_str()), ("run", run), ("server", &server), ("what", &what)];
        let error = notify(&self.ground, &argv, &values).await.err();
        Ok(self.tell(Sight::Notified { program: program.clone(), error })?)
    }

    /// One line here, and one in the file of all watches.
    fn tell(&mut self, sight: Sight) -> io::Result<()> {
        let (entry, kept) = self.watcher.keep(&self.ground, sight);
        if let Err(error) = kept {
            let mut told = Output::told();
            told.line(&format!("warning: what the watch saw could not be kept: {error}"))?;
            told.finish()?;
        }
        if self.out.json {
            self.out.record(&entry)?;
        } else {
            let at = entry.at.with_timezone(&self.setup.estate.time_zone).format("%Y-%m-%d %H:%M:%S %Z");
            let (tone, text) = words(&entry.sight);
            let text = self.out.toned(tone, &escaped(&text));
            self.out.line(&format!("{at}  {text}"))?;
        }
        self.out.finish()
    }
}

fn words(sight: &Sight) -> (Tone, String) {
    match sight {
        Sight::Began { runbook, primary, standby, every_seconds, times } => {
            let standby = standby.as_ref().map(|id| format!(", standby `{id}`")).unwrap_or_default();
            let rule = format!("every {every_seconds} s; {times} looks in a row that say down open `{runbook}`");
            (Tone::Plain, format!("watching `{primary}`{standby}, {rule}"))
        }
        Sight::Looked { server, state, down, look } => {
            let tone = match state {
                State::Up => Tone::Good,
                State::Down => Tone::Critical,
                State::Unknown => Tone::Unknown,
            };
            let count = if *down > 0 { format!(", look {down} in a row") } else { String::new() };
            (tone, format!("`{server}` is {state}{count}: {look}"))
        }
        Sight::RolesChanged { primary } => {
            (Tone::Warning, format!("the roles have changed: `{primary}` takes writes, and is watched from now on"))
        }
        Sight::Split { one, other } => (
            Tone::Critical,
            format!("both `{one}` and `{other}` take writes: stop the wrong one now; no run is opened"),
        ),
        Sight::Opened { run, server, .. } => {
            (Tone::Critical, format!("`{server}` is lost: run {run} waits for you: relight attach {run}"))
        }
        Sight::Held { run, by_whom } => {
            (Tone::Warning, format!("no run is opened: run {run} of {by_whom} works on the same"))
        }
        Sight::NotOpened { problems } => (Tone::Critical, format!("no run can be opened: {}", problems.join("; "))),
        Sight::Notified { program, error: None } => (Tone::Quiet, format!("told {program}")),
        Sight::Notified { program, error: Some(why) } => (Tone::Warning, format!("{program} could not be told: {why}")),
        Sight::Ended { why } => (Tone::Plain, format!("the watch has ended: {why}")),
    }
}
