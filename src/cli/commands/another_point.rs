//! `relight another-point`: at a commit point, goes back and does it anew with another value.

use crate::cli::dialogue::{Line, Lines};
use crate::cli::planning::{self, told};
use crate::cli::{Globals, Output, Tone, joined};
use crate::model::text::escaped;
use crate::report::{Exit, Fault};
use crate::runbook::Intent;
use crate::runbook::commit::{TYPED, successor, told as differences};
use crate::runner::planner::another_plan;
use crate::runner::runs;
use color_eyre::eyre;
use std::sync::Arc;

/// Choose another point for a run that is recovered and not committed
///
/// Makes the plan anew with other values of the parameters that the runbook names at its commit point, shows what would
/// differ, and asks for the beginning of its digest. What was done since the runbook's step is then taken back, and
/// done anew by the new plan; nothing before it is touched. The journal keeps both plans, the reason and your name.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of a run, an unambiguous beginning or end of one, or `latest`
    run: String,
    /// The other value; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", required = true)]
    set: Vec<String>,
    /// Why this point is not the right one
    #[arg(long, value_name = "WHY")]
    reason: String,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let folder = runs::choose(&setup.state_dir, &args.run)?;
    let joined = joined::join(&folder, &setup.actor).await?;
    let state = &joined.state;
    if !state.is_provisional() {
        let fault = Fault::usage(format!("run {} is not at a commit point: it is {}", folder.run, state.status.word()));
        return Err(fault.hint("another point is chosen while a run is provisional").into());
    }
    let runbook = planning::choose(&setup, state.plan.runbook.as_str())?;
    let catalog = planning::catalog(globals, &setup, &runbook).await;
    let ground = setup.ground(Arc::new(catalog));
    let given = planning::given(&args.set)?;
    let plan = another_plan(&ground, &runbook, &state.plan, &given, |what| told(globals, what)).await;
    let plan = plan.map_err(|problems| planning::refused(&runbook, &problems))?;
    let changes = successor(&state.plan, &plan).map_err(Fault::usage)?;
    for change in &changes {
        out.line(&out.toned(Tone::Strong, &escaped(&change.words())))?;
    }
    for line in differences(&state.plan, &plan, |at| state.steps[at].attempt > 0) {
        out.line(&format!("  {}", escaped(&line)))?;
    }
    let wanted: String = plan.digest.chars().take(TYPED).collect();
    out.line(&format!("Digest of the new plan {}; type {wanted} to go back by it:", plan.digest))?;
    out.finish()?;
    match Lines::of_stdin().next().await {
        Some(Line::Text(line)) if line.trim() == wanted => {}
        _ => return Err(Fault::usage("the new plan was not chosen; nothing was changed").into()),
    }
    let intent = Intent::AnotherPoint { plan: Box::new(plan), reason: args.reason.clone() };
    let refused = |why: String| Fault::new(Exit::Usage, format!("refused: {}", escaped(&why)));
    joined.client.intent(intent).await.map_err(refused)?;
    out.line(&out.toned(Tone::Good, "Another point is chosen; what was done is being taken back."))?;
    out.line(&format!("  next: relight attach {}", escaped(folder.run.as_str())))?;
    Ok(Exit::Fine)
}
