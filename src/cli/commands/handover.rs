//! `relight handover`: gives a run to another operator, with a read-back, or takes it.

use crate::cli::dialogue::{Line, Lines};
use crate::cli::{Globals, Output, Tone, joined};
use crate::model::text::escaped;
use crate::model::time::short_duration;
use crate::report::{Exit, Fault};
use crate::runbook::{Handover, Intent, RunState};
use crate::runner::{Client, runs};
use color_eyre::eyre;

/// Hand a run over to another operator, or take it
///
/// Its operator says to whom, what they believe and what is to be done next; whoever takes it reads that and types
/// the next action back. The journal keeps all of it, and both names. Without a flag it shows what is offered.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of a run, an unambiguous beginning or end of one, or `latest`
    run: String,
    /// Offer the run to this person
    #[arg(long, value_name = "NAME", requires_all = ["believed", "next"], group = "wish")]
    to: Option<String>,
    /// What you believe is going on
    #[arg(long, value_name = "TEXT", requires = "to")]
    believed: Option<String>,
    /// What is to be done next
    #[arg(long, value_name = "TEXT", requires = "to")]
    next: Option<String>,
    /// Take what is offered: it is shown, and you type the next action back
    #[arg(long, group = "wish")]
    take: bool,
    /// Take the offer back
    #[arg(long, group = "wish")]
    withdraw: bool,
    /// Take the run from an operator who is gone, without an offer, for this reason
    #[arg(long, value_name = "WHY", group = "wish")]
    relieve: Option<String>,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let setup = globals.setup().await?;
    let folder = runs::choose(&setup.state_dir, &args.run)?;
    let joined = joined::join(&folder, &setup.actor).await?;
    let (client, state) = (&joined.client, &joined.state);
    let now = setup.clock.now();
    let done = match (&args.to, &args.relieve) {
        (Some(to), _) => {
            let (believed, next) = (args.believed.clone().unwrap_or_default(), args.next.clone().unwrap_or_default());
            send(client, Intent::OfferHandover { to: to.clone(), believed, next }).await?;
            format!("offered to {to}, who takes it with: relight handover {} --take", folder.run)
        }
        (None, Some(reason)) => {
            send(client, Intent::Relieve { reason: reason.clone() }).await?;
            format!("you operate run {} now, in place of {}", folder.run, state.operator)
        }
        (None, None) if args.withdraw => {
            send(client, Intent::WithdrawHandover).await?;
            "the offer is taken back".to_owned()
        }
        (None, None) => {
            let Some(offer) = shown(state, now, out)? else { return Ok(Exit::Fine) };
            if !args.take {
                return Ok(Exit::Fine);
            }
            let read_back = read_back(out).await?;
            send(client, Intent::TakeHandover { read_back }).await?;
            format!("you operate run {} now, in place of {}", folder.run, offer.from)
        }
    };
    out.line(&out.toned(Tone::Good, &escaped(&done)))?;
    out.line("  It is recorded in the journal. Whoever operates the run arms it in their own name.")?;
    Ok(Exit::Fine)
}

async fn send(client: &Client, intent: Intent) -> eyre::Result<()> {
    let refused = |why: String| Fault::new(Exit::Usage, format!("refused: {}", escaped(&why)));
    Ok(client.intent(intent).await.map_err(refused)?)
}

/// What is offered, if anything is.
fn shown<'a>(
    state: &'a RunState,
    now: crate::model::time::Timestamp,
    out: &mut Output,
) -> eyre::Result<Option<&'a Handover>> {
    out.line(&format!("Run {}, operated by {}", escaped(state.id.as_str()), escaped(&state.operator.to_string())))?;
    let Some(offer) = &state.handover else {
        out.line("No handover is offered.")?;
        return Ok(None);
    };
    let ago = short_duration(now - offer.at);
    out.line(&format!("{} offers it to {}, {ago} ago", escaped(&offer.from.to_string()), escaped(&offer.to)))?;
    for step in &offer.open {
        out.line(&format!("  open:     {}", escaped(step)))?;
    }
    out.line(&format!("  believed: {}", escaped(&offer.believed)))?;
    out.line(&format!("  next:     {}", out.toned(Tone::Strong, &escaped(&offer.next))))?;
    Ok(Some(offer))
}

async fn read_back(out: &mut Output) -> eyre::Result<String> {
    out.line(&out.toned(Tone::Strong, "Type the next action back, to take the run:"))?;
    out.finish()?;
    match Lines::of_stdin().next().await {
        Some(Line::Text(line)) => Ok(line),
        _ => Err(Fault::usage("nothing was typed back, so nothing was taken").into()),
    }
}
