//! `relight approve`: a second person's yes, here through the run's socket, or on a device without a network.

use super::approver::read_key;
use crate::cli::dialogue::{Line, Lines};
use crate::cli::joined::{self, Joined};
use crate::cli::{Globals, Output, Tone};
use crate::model::text::escaped;
use crate::report::{Exit, Fault};
use crate::runbook::approval::{ApprovalRequest, short_code, signature_text};
use crate::runbook::{Answer, Intent, Question, QuestionKind};
use crate::runner::runs;
use color_eyre::eyre;
use std::path::PathBuf;

/// Approve a step of a run that someone else drives
///
/// With the id of a run it speaks to the run itself. With the code that a waiting run shows it needs no
/// network and no configuration: it prints a signature to be typed or pasted into the waiting run. Either way
/// it shows what is approved, and only the word `yes` signs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id of a run, or the code that a waiting run shows
    what: String,
    /// File with your private key, as `relight approver new` makes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub async fn run(globals: &Globals, args: &Args, out: &mut Output) -> eyre::Result<Exit> {
    let key = read_key(&args.key)?;
    // Ids of runs hold no full stop; a code ends with its short code behind one.
    if args.what.contains('.') {
        let text = ApprovalRequest::text_of(&args.what).map_err(|error| {
            Fault::usage(format!("the code cannot be read: {error}")).hint("copy it whole, as the waiting run shows it")
        })?;
        agreed(&text, &key.name, out).await?;
        let signature = signature_text(&key.sign(text.as_bytes()));
        out.line("Give this to the operator, as the answer to the waiting question:")?;
        out.line("")?;
        out.line(&format!("approve {} {signature}", key.name))?;
        return Ok(Exit::Fine);
    }
    let setup = globals.setup().await?;
    let folder = runs::choose(&setup.state_dir, &args.what)?;
    let Joined { client, state, told: _told } = joined::join(&folder, &setup.actor).await?;
    let Some(Question { number, kind: QuestionKind::Approval { request, .. }, .. }) = state.question else {
        let fault = Fault::new(Exit::Unknown, format!("run {} waits for no approval", folder.run));
        return Err(fault.hint(format!("relight attach {} shows where it stands", folder.run)).into());
    };
    let text = request.text();
    agreed(&text, &key.name, out).await?;
    let signature = signature_text(&key.sign(text.as_bytes()));
    let answer = Answer::Approve { approver: key.name.clone(), signature };
    client
        .intent(Intent::Answer { question: number, answer })
        .await
        .map_err(|why| Fault::new(Exit::Critical, format!("the approval was refused: {why}")))?;
    out.line(&out.toned(Tone::Good, &format!("approved by {}, and recorded in the run's journal", key.name)))?;
    Ok(Exit::Fine)
}

/// Shows what is about to be signed. Anything but the word is a no.
async fn agreed(text: &str, name: &str, out: &mut Output) -> eyre::Result<()> {
    out.line(&out.toned(Tone::Strong, "You are asked to approve:"))?;
    for line in text.lines() {
        out.line(&format!("  {}", escaped(line)))?;
    }
    out.line(&format!("Short code, the same as on the operator's screen: {}", short_code(text)))?;
    out.line(&out.toned(Tone::Strong, &format!("Sign this as {name}? yes/no")))?;
    out.finish()?;
    match Lines::of_stdin().next().await {
        Some(Line::Text(line)) if line == "yes" => Ok(()),
        _ => Err(Fault::usage("nothing was signed: only the word `yes` does it").into()),
    }
}
