//! What a takeover brings over: the run as its mirror tells it once the old holder is fenced off, and the entries
//! that the new copy begins with.

use crate::event::Event;
use crate::journal::lease::{Held, Leases};
use crate::journal::mirror::{self, Copied, MirrorError};
use crate::model::actor::Actor;
use crate::model::id::RunId;
use crate::model::lease::TakenFrom;
use crate::model::time::Timestamp;
use crate::runbook::engine::{Now, ReplayError, replay};
use crate::runbook::{Engine, Input};

#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    #[error("the mirror does not make a run: {0}")]
    Replay(#[from] ReplayError),
}

#[derive(Debug)]
pub struct Inherited {
    pub copied: Copied,
    /// What follows in the new copy.
    pub first: Vec<Event>,
}

/// What the old holder wrote until now counts; what it writes from now on lies under a lower epoch than `held`.
pub async fn inherit(
    leases: &Leases,
    run: &RunId,
    held: &Held,
    (by, reason): (&Actor, &str),
    now: Timestamp,
) -> Result<Inherited, InheritError> {
    let copied = mirror::copy(&**leases.place(), run).await?;
    let state = replay(&copied.events)?;
    let from = held.taken_from().cloned().unwrap_or_else(|| TakenFrom {
        holder: state.operator.clone(),
        epoch: state.epoch(),
        reason: reason.to_owned(),
        renewed_at: now,
    });
    let mut engine = Engine::new(state, by.clone());
    engine.close();
    let place = leases.location();
    let input = Input::TakenOver { actor: by.clone(), epoch: held.epoch(), scopes: held.scopes(), place, from };
    let first = engine.handle(&input, Now { at: now, mono_ms: 0 }).events;
    Ok(Inherited { copied, first })
}
