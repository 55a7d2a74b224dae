//! Why a lease is not ours.

use crate::model::lease::Lease;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::stores::StoreError;
use crate::stores::place::ProbeError;

#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    #[error("{}", held(lease, *now))]
    Held { lease: Box<Lease>, now: Timestamp },
    /// Someone else took it, or changed it where only its holder may.
    #[error("{}", lost(lease.as_deref(), scope))]
    Lost { scope: String, lease: Option<Box<Lease>> },
    #[error("the lease on {} is gone from {place}: nobody knows who holds it", escaped(scope))]
    Gone { scope: String, place: String },
    #[error("the lease in {place} cannot be read ({why}): nobody knows who holds it")]
    Unreadable { place: String, why: String },
    /// The place did not answer, or answered with an error: nobody knows.
    #[error("{place} cannot be asked who holds the lock: {source}")]
    Place { place: String, source: StoreError },
    #[error(transparent)]
    Untrusted(#[from] ProbeError),
    #[error("the lease on {} has not expired: its runner on {} renewed it at {} and may act this moment", escaped(&lease.scope), escaped(&lease.holder.host), lease.renewed_at.format("%H:%M:%S UTC"))]
    Alive { lease: Box<Lease> },
    #[error("no lease is held by run {0}: there is nothing to take over")]
    NothingHeld(String),
}

impl LeaseError {
    /// Whether somebody else certainly stands in the holder's place.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }
}

fn held(lease: &Lease, now: Timestamp) -> String {
    let time = |at: Timestamp| at.format("%Y-%m-%d %H:%M:%S UTC");
    let expiry = if lease.is_expired(now) {
        format!(
            "it expired at {} without being renewed, which frees nothing: its runner may be dead or cut off",
            time(lease.expires_at)
        )
    } else {
        format!("it is renewed until {}", time(lease.expires_at))
    };
    format!(
        "{} is held by run {}, by {} (process {}) since {}; {expiry}. End that run, or where it runs bring it back \
         with `relight resume {}`; if its machine is lost: relight runs --take-over {} --reason WHY",
        escaped(&lease.scope),
        escaped(lease.run.as_str()),
        escaped(&lease.holder.to_string()),
        lease.holder.pid,
        time(lease.acquired_at),
        escaped(lease.run.as_str()),
        escaped(lease.run.as_str()),
    )
}

fn lost(lease: Option<&Lease>, scope: &str) -> String {
    let Some(lease) = lease else { return format!("{} is held by someone else now", escaped(scope)) };
    if let Some(from) = lease.freed_from.as_ref().filter(|_| !lease.is_held()) {
        return format!(
            "{} was freed by {} at {} (epoch {}), as nobody could bring run {} back: {}",
            escaped(scope),
            escaped(&lease.holder.to_string()),
            lease.acquired_at.format("%Y-%m-%d %H:%M:%S UTC"),
            lease.epoch,
            escaped(lease.run.as_str()),
            escaped(&from.reason),
        );
    }
    let by = lease.taken_from.as_ref().map(|from| format!(": {}", escaped(&from.reason))).unwrap_or_default();
    format!(
        "{} was taken over by {} at {} (epoch {}, run {}){by}",
        escaped(scope),
        escaped(&lease.holder.to_string()),
        lease.acquired_at.format("%Y-%m-%d %H:%M:%S UTC"),
        lease.epoch,
        escaped(lease.run.as_str()),
    )
}
