//! A prepared run: made, begun, and left at its first question. It is read-only, and the only one.

use super::sight::Sight;
use crate::journal::lease::Leases;
use crate::model::actor::Actor;
use crate::model::id::{RunId, ServerId};
use crate::model::time::Timestamp;
use crate::runbook::{Intent, Plan};
use crate::runner::client::Client;
use crate::runner::folder::RunFolder;
use crate::runner::lease::is_over;
use crate::runner::{RunnerError, runs, spawn};
use std::path::Path;

/// What a run is opened with.
pub struct Opening<'a> {
    pub leases: &'a Leases,
    pub state_dir: &'a Path,
    pub config: &'a Path,
    pub actor: &'a Actor,
    pub now: Timestamp,
    pub server: &'a ServerId,
    /// To whom the run is handed over.
    pub operator: Option<&'a str>,
    /// Why, for the run's journal.
    pub note: String,
}

pub async fn open(opening: &Opening<'_>, plan: &Plan) -> Sight {
    match held(opening, plan).await {
        Ok(None) => {}
        Ok(Some((run, by_whom))) => return Sight::Held { run, by_whom },
        Err(why) => {
            return Sight::NotOpened { problems: vec![format!("whether another run is open is not known: {why}")] };
        }
    }
    let folder = match spawn::create(opening.state_dir, plan, opening.config, opening.actor, opening.now) {
        Ok(folder) => folder,
        Err(error) => return Sight::NotOpened { problems: vec![error.to_string()] },
    };
    match begin(opening, plan, &folder).await {
        Ok(()) => Sight::Opened { run: folder.run, plan_digest: plan.digest.clone(), server: opening.server.clone() },
        Err(why) => {
            Sight::NotOpened { problems: vec![format!("run {} was made and did not begin: {why}", folder.run)] }
        }
    }
}

/// A run that works on any of the same, and who drives it: here, begun or not, or anywhere by its lease.
async fn held(opening: &Opening<'_>, plan: &Plan) -> Result<Option<(RunId, String)>, String> {
    let same = |other: &Plan| {
        other.lock_scope.iter().any(|scope| plan.lock_scope.contains(scope))
            || (other.runbook == plan.runbook && other.params == plan.params)
    };
    for entry in runs::list(opening.state_dir).map_err(|error| error.to_string())? {
        let Ok(state) = &entry.state else { continue };
        if !state.status.is_over() && state.fenced_off().is_none() && same(&state.plan) {
            return Ok(Some((entry.folder.run, state.operator.to_string())));
        }
    }
    for scope in &plan.lock_scope {
        let Some((lease, _)) = opening.leases.look(scope).await.map_err(|error| error.to_string())? else { continue };
        let ended = lease.seat == opening.leases.seat() && is_over(opening.state_dir, &lease.run);
        if lease.is_held() && !ended {
            return Ok(Some((lease.run, lease.holder.to_string())));
        }
    }
    Ok(None)
}

async fn begin(opening: &Opening<'_>, plan: &Plan, folder: &RunFolder) -> Result<(), String> {
    let in_words = |error: RunnerError| error.to_string();
    spawn::start(folder, opening.state_dir).await.map_err(in_words)?;
    // What it tells is for its operator; the line must only stay open until both wishes are answered.
    let (client, _told) = Client::connect(folder, opening.actor, 0).await.map_err(in_words)?;
    client.intent(Intent::Note { text: opening.note.clone() }).await?;
    let started = client.intent(Intent::Start { plan_digest: plan.digest.clone() }).await;
    if let Err(why) = &started {
        let reason = format!("the watch could not begin it: {why}");
        client.intent(Intent::Abort { reason, undo: false }).await?;
    }
    started?;
    if let Some(to) = opening.operator {
        hand_over(opening, &client, to).await;
    }
    Ok(())
}

/// The run belongs to the watch until someone takes it: it stands in the run who that is to be, and what to do.
async fn hand_over(opening: &Opening<'_>, client: &Client, to: &str) {
    let offer = Intent::OfferHandover {
        to: to.to_owned(),
        believed: format!("`{}` is lost: a row of looks said down, and none said up", opening.server),
        next: format!("see that {} is down", opening.server),
    };
    // Without the offer it can still be taken, with a reason.
    if let Err(why) = client.intent(offer).await {
        tracing::warn!(%why, "the run was not offered to its operator");
    }
}
