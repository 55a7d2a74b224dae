//! `relight amend`: changes how long a run may take, or how much a step may touch, on its way, and says why.

use crate::cli::{Globals, Output, Tone, joined};
use crate::model::amount::Amount;
use crate::model::id::StepId;
use crate::model::text::escaped;
use crate::report::{Exit, Fault};
use crate::runbook::Intent;
use crate::runner::runs;
use color_eyre::eyre;
use std::time::Duration;

/// Amend a run on its way: another limit for a step, more time to decide
///
/// What a run does is never amended: that is another plan, and another run or another point. Every amendment is kept
/// with its reason, shows in the report, and voids the approvals that were given before it.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(false))]
pub struct Args {
    /// Id of a run, an unambiguous beginning or end of one, or `latest`
    run: String,
    /// Time limit of the next attempts of a step that does not work just now
    #[arg(long, value_name = "STEP=SPAN", group = "what")]
    time_limit: Option<String>,
    /// The most that a step may touch: 2000objects, 30GiB, or both with a comma between
    #[arg(long, value_name = "STEP=AMOUNT", group = "what")]
    limit: Option<String>,
    /// More time to decide at the commit point, from now on
    #[arg(long, value_name = "SPAN", value_parser = humantime::parse_duration, group = "what")]
    decide_within: Option<Duration>,
    /// Why; kept in the journal
    #[arg(long, value_name = "WHY")]
    reason: String,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let folder = runs::choose(&setup.state_dir, &args.run)?;
    let reason = args.reason.clone();
    let intent = match (&args.time_limit, &args.limit, args.decide_within) {
        (Some(pair), ..) => {
            let (step, span) = pair.split_once('=').ok_or_else(|| Fault::usage("write --time-limit STEP=SPAN"))?;
            let limit = humantime::parse_duration(span.trim())
                .map_err(|_| Fault::usage(format!("`{span}` is not a duration such as `30s` or `15m`")))?;
            Intent::LimitTime { step: StepId::from(step.trim()), limit, reason }
        }
        (None, Some(pair), _) => {
            let (step, amount) = pair.split_once('=').ok_or_else(|| Fault::usage("write --limit STEP=AMOUNT"))?;
            let limit = amount.parse::<Amount>().map_err(|error| Fault::usage(error.to_string()))?;
            Intent::LimitAmount { step: StepId::from(step.trim()), limit, reason }
        }
        (None, None, Some(span)) => {
            let span = chrono::Duration::from_std(span).map_err(|error| Fault::usage(error.to_string()))?;
            let until = setup.clock.now().checked_add_signed(span).ok_or_else(|| Fault::usage("that is too long"))?;
            Intent::Postpone { until, reason }
        }
        (None, None, None) => return Err(Fault::usage("say what is to be amended").into()),
    };
    let joined = joined::join(&folder, &setup.actor).await?;
    let refused = |why: String| Fault::new(Exit::Usage, format!("refused: {}", escaped(&why)));
    joined.client.intent(intent).await.map_err(refused)?;
    out.line(&out.toned(Tone::Good, "The run is amended."))?;
    out.line("  It is recorded in the journal. Approvals that were given before are asked for anew.")?;
    Ok(Exit::Fine)
}
