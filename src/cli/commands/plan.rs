//! `relight plan`: everything that a run would do, resolved, with its digest; nothing is changed.

use crate::cli::planning::{self, PlanArgs, Planned};
use crate::cli::{Globals, Output, dialogue};
use crate::report::Exit;
use crate::runbook::Plan;
use color_eyre::eyre;
use serde::Serialize;

/// Resolve everything a runbook needs and show what would happen
///
/// Looks at the world and changes nothing. Exits with 2 and every problem if no plan can be made.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    plan: PlanArgs,
}

#[derive(Serialize)]
struct Body<'a> {
    /// Absent where no plan can be made.
    #[serde(flatten)]
    plan: Option<&'a Plan>,
    /// File of the runbook, or `built in`.
    origin: &'a str,
    problems: &'a [String],
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let Planned { setup, runbook, plan } = planning::plan(globals, &args.plan).await?;
    if out.json {
        let problems = plan.as_ref().err().map(Vec::as_slice).unwrap_or_default();
        let body = Body { plan: plan.as_ref().ok(), origin: &runbook.origin, problems };
        out.document("plan", 1, setup.clock.now(), &body)?;
        return Ok(if plan.is_ok() { Exit::Fine } else { Exit::Critical });
    }
    let plan = plan.map_err(|problems| planning::refused(&runbook, &problems))?;
    dialogue::plan(&plan, setup.estate.time_zone, out)?;
    Ok(Exit::Fine)
}
