//! The right to work on something: one run at a time, with an epoch that only rises.

use super::actor::Actor;
use super::id::RunId;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What the shared place keeps for one lock scope. It is never removed, so that the epoch never falls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// What is locked, as the plan names it.
    pub scope: String,
    /// Rises with every new holder; whoever acts under a lower one is fenced off.
    pub epoch: u64,
    /// Who runs the run, and the process that drives it.
    pub holder: Actor,
    pub run: RunId,
    /// The state folder that holds the run's journal, as a random mark: the same host may have several.
    pub seat: String,
    pub acquired_at: Timestamp,
    pub renewed_at: Timestamp,
    /// A holder that did not renew by then pauses. It frees nothing.
    pub expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<TakenFrom>,
    /// Set by the holder when its run is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
    /// Set where someone freed the scope from a run that nobody can bring back; `holder` is who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freed_from: Option<TakenFrom>,
}

impl Lease {
    pub fn is_held(&self) -> bool {
        self.released_at.is_none()
    }

    /// Whether the holder has failed to renew in time. Others may still not act: only a takeover frees.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}

/// Whom a lease was taken from, or the scope freed from, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenFrom {
    pub holder: Actor,
    pub epoch: u64,
    pub reason: String,
    /// When the one before had last renewed.
    pub renewed_at: Timestamp,
}
