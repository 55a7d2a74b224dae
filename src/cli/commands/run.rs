//! `relight run`: makes a plan, shows it, asks, and follows the run as a dialogue on lines.

use crate::cli::dialogue::{self, Lines, Options};
use crate::cli::planning::{self, PlanArgs, Planned};
use crate::cli::{Globals, Output};
use crate::report::{Exit, Fault};
use crate::runbook::Intent;
use crate::runner::spawn;
use color_eyre::eyre;
use std::collections::VecDeque;
use std::time::Duration;

/// Longest span for which a run can be armed in one go.
const MAX_ARMED: Duration = Duration::from_hours(12);

/// Make a plan, show it, and run it step by step
///
/// Asks on standard output and reads answers from standard input, one per line. A line that begins with
/// `now` is heard at once even from a pipe: `now abort REASON`. When standard input ends, the run waits at
/// its next question. Exits with 0 when completed, 1 with exceptions, 2 when aborted, 3 when it is not over.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Ask on plain lines, also on a terminal
    #[arg(long)]
    plain: bool,
    /// Let steps that change something start, for this reason
    #[arg(long, value_name = "REASON")]
    arm: Option<String>,
    #[command(flatten)]
    arming: Arming,
}

/// How an `arm`, here or typed in the dialogue, arms the run.
#[derive(Clone, Debug, clap::Args)]
pub struct Arming {
    /// Incident or ticket that arming is for
    #[arg(long, value_name = "ID")]
    incident: Option<String>,
    /// How long the run stays armed
    #[arg(long, value_name = "SPAN", default_value = "60m", value_parser = humantime::parse_duration)]
    arm_for: Duration,
}

impl Arming {
    pub fn options(&self) -> Result<Options, Fault> {
        if self.arm_for > MAX_ARMED || self.arm_for.is_zero() {
            let span = humantime::format_duration(self.arm_for);
            return Err(Fault::usage(format!("a run cannot be armed for {span}")).hint("choose up to 12h"));
        }
        let arm_for = chrono::Duration::from_std(self.arm_for).map_err(|error| Fault::usage(error.to_string()))?;
        Ok(Options { arm_for, incident: self.incident.clone() })
    }
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let options = args.arming.options()?;
    let Planned { setup, runbook, plan } = planning::plan(globals, &args.plan).await?;
    let plan = plan.map_err(|problems| planning::refused(&runbook, &problems))?;
    let mut lines = Lines::of_stdin();
    let mut told = Output::told();
    let said = if out.json { &mut told } else { &mut *out };
    dialogue::plan(&plan, setup.estate.time_zone, said)?;
    if !dialogue::agreed(&mut lines, said).await? {
        said.finish()?;
        return Err(Fault::usage("the plan was not started: only the word `yes` starts it")
            .hint("nothing was changed")
            .into());
    }
    let folder = spawn::create(&setup.state_dir, &plan, &setup.config_path, &setup.actor, setup.clock.now())?;
    said.line(&format!("Run {}", folder.run))?;
    said.finish()?;
    spawn::start(&folder, &setup.state_dir).await?;
    let mut first = VecDeque::new();
    if let Some(reason) = args.arm.clone() {
        let until = setup.clock.now() + options.arm_for;
        first.push_back(Intent::Arm { reason, incident: options.incident.clone(), until });
    }
    first.push_back(Intent::Start { plan_digest: plan.digest.clone() });
    dialogue::follow(&setup, &folder, (&mut lines, first), options, out).await
}
