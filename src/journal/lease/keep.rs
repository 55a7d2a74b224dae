//! Leases that are held: renewed, and given back.

use super::error::LeaseError;
use super::registry::Leases;
use crate::model::lease::{Lease, TakenFrom};
use crate::stores::place::Tag;

#[derive(Debug)]
pub struct Held {
    leases: Leases,
    scopes: Vec<(Lease, Tag)>,
    /// Registers as they were found, of scopes that had been freed by hand before.
    pub(super) freed: Vec<Lease>,
}

impl Held {
    pub(super) fn new(leases: Leases) -> Self {
        Self { leases, scopes: Vec::new(), freed: Vec::new() }
    }

    pub(super) fn push(&mut self, lease: Lease, tag: Tag) {
        self.scopes.push((lease, tag));
    }

    /// These are neither renewed nor given back.
    pub(super) fn leave_out(&mut self, scopes: &[String]) {
        self.scopes.retain(|(lease, _)| !scopes.contains(&lease.scope));
    }

    pub fn epoch(&self) -> u64 {
        self.scopes.iter().map(|(lease, _)| lease.epoch).max().unwrap_or(0)
    }

    pub fn scopes(&self) -> Vec<String> {
        self.scopes.iter().map(|(lease, _)| lease.scope.clone()).collect()
    }

    pub fn taken_from(&self) -> Option<&TakenFrom> {
        self.scopes.iter().find_map(|(lease, _)| lease.taken_from.as_ref())
    }

    /// One sentence for each scope that someone had freed from another run before it came here.
    pub fn remarks(&self) -> Vec<String> {
        self.freed.iter().filter_map(remark).collect()
    }

    /// Proves by a write that all scopes are still ours, and puts their expiry off.
    pub async fn renew(&mut self) -> Result<(), LeaseError> {
        self.rewrite(false).await
    }

    /// Gives all scopes back.
    pub async fn release(&mut self) -> Result<(), LeaseError> {
        self.rewrite(true).await
    }

    async fn rewrite(&mut self, release: bool) -> Result<(), LeaseError> {
        let now = self.leases.clock.now();
        for (lease, tag) in &mut self.scopes {
            let mut next = lease.clone();
            next.renewed_at = now;
            if release {
                next.released_at = Some(now);
            } else {
                next.expires_at = self.leases.expiry(now);
            }
            match self.leases.write(&next, Some(tag)).await {
                Ok(written) => (*lease, *tag) = (next, written),
                // A write of ours from before, whose answer was lost, is no one else's.
                Err(LeaseError::Lost { lease: Some(other), .. }) if is_ours(lease, &other) => {
                    let found = self.leases.look(&lease.scope).await?;
                    let Some((_, found)) = found.filter(|(now, _)| is_ours(lease, now)) else {
                        return Err(LeaseError::Lost { scope: lease.scope.clone(), lease: Some(other) });
                    };
                    *tag = self.leases.write(&next, Some(&found)).await?;
                    *lease = next;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn remark(lease: &Lease) -> Option<String> {
    let from = lease.freed_from.as_ref()?;
    Some(format!(
        "{} had been freed by {} at {} from run {}, which {} held (epoch {}, last renewed {}) and which nobody could \
         bring back: {}",
        lease.scope,
        lease.holder,
        lease.acquired_at.format("%Y-%m-%d %H:%M:%S UTC"),
        lease.run,
        from.holder,
        from.epoch,
        from.renewed_at.format("%Y-%m-%d %H:%M:%S UTC"),
        from.reason,
    ))
}

/// Same holding: only times differ.
fn is_ours(mine: &Lease, found: &Lease) -> bool {
    mine.epoch == found.epoch && mine.run == found.run && mine.seat == found.seat && mine.holder == found.holder
}
