//! The registers of all scopes: reading, claiming, taking over, releasing.

use super::error::LeaseError;
use super::keep::Held;
use crate::model::actor::Actor;
use crate::model::id::RunId;
use crate::model::lease::{Lease, TakenFrom};
use crate::model::time::{Clock, Timestamp};
use crate::stores::place::{self, SharedPlace, Tag};
use crate::stores::{StoreError, StoreErrorKind};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

const FOLDER: &str = "leases/";
/// Longest wait for one answer of the place.
const ANSWER: Duration = Duration::from_secs(20);
/// Tries of a request that got no answer.
const TRIES: u32 = 3;

/// Where leases lie, and for how long each renewal holds.
#[derive(Clone, Debug)]
pub struct Leases {
    place: Arc<dyn SharedPlace>,
    pub(super) clock: Arc<dyn Clock>,
    /// The mark of the state folder that this program works with.
    seat: String,
    term: Duration,
    /// Whether the place must show first that it keeps its word.
    test: bool,
}

/// Who wants what.
#[derive(Clone, Debug)]
pub struct Claim {
    pub run: RunId,
    /// The operator and host, with the process that drives the run.
    pub holder: Actor,
    pub scopes: Vec<String>,
    /// Epoch under which the run held them before; 0 if it never did.
    pub epoch: u64,
}

impl Leases {
    /// In a place that others may write to; it is put to the test before anything is claimed in it.
    pub fn shared(place: Arc<dyn SharedPlace>, clock: Arc<dyn Clock>, seat: String, term: Duration) -> Self {
        Self { place, clock, seat, term, test: true }
    }

    /// In the state folder of this machine.
    pub fn local(place: Arc<dyn SharedPlace>, clock: Arc<dyn Clock>, seat: String, term: Duration) -> Self {
        Self { place, clock, seat, term, test: false }
    }

    /// The time by this machine's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn is_shared(&self) -> bool {
        self.test
    }

    pub fn place(&self) -> &Arc<dyn SharedPlace> {
        &self.place
    }

    pub fn location(&self) -> String {
        self.place.location()
    }

    pub fn seat(&self) -> &str {
        &self.seat
    }

    pub fn term(&self) -> Duration {
        self.term
    }

    /// Puts a shared place to the test.
    pub async fn probe(&self) -> Result<(), LeaseError> {
        if !self.test {
            return Ok(());
        }
        let probed = tokio::time::timeout(ANSWER, place::probe(&*self.place, &self.seat)).await;
        Ok(probed
            .unwrap_or_else(|_| Err(place::ProbeError::Unknown { place: self.location(), source: silent("probe") }))?)
    }

    pub(super) fn broken(&self, source: StoreError) -> LeaseError {
        LeaseError::Place { place: self.location(), source }
    }

    pub(super) fn expiry(&self, now: Timestamp) -> Timestamp {
        now + chrono::Duration::from_std(self.term).unwrap_or(chrono::Duration::MAX)
    }

    async fn found(&self, name: &str) -> Result<Option<(Lease, Tag)>, LeaseError> {
        let mut tries = 0;
        let found = loop {
            tries += 1;
            let answer = tokio::time::timeout(ANSWER, self.place.register(name)).await;
            match answer.unwrap_or_else(|_| Err(silent(name))) {
                Err(error) if error.is_transient() && tries < TRIES => {}
                other => break other.map_err(|error| self.broken(error))?,
            }
        };
        let Some(found) = found else { return Ok(None) };
        let lease: Lease = serde_json::from_slice(&found.bytes)
            .map_err(|error| LeaseError::Unreadable { place: self.location(), why: error.to_string() })?;
        Ok(Some((lease, found.tag)))
    }

    /// What the place says about a scope.
    pub async fn look(&self, scope: &str) -> Result<Option<(Lease, Tag)>, LeaseError> {
        let found = self.found(&register(scope)).await?;
        match found {
            Some((lease, _)) if lease.scope != scope => {
                let why = format!("the register of `{scope}` speaks of `{}`", lease.scope);
                Err(LeaseError::Unreadable { place: self.location(), why })
            }
            found => Ok(found),
        }
    }

    /// All leases, held and released.
    pub async fn all(&self) -> Result<Vec<Lease>, LeaseError> {
        let listed = tokio::time::timeout(ANSWER, self.place.registers(FOLDER)).await;
        let names = listed.unwrap_or_else(|_| Err(silent(FOLDER))).map_err(|error| self.broken(error))?;
        let mut leases = Vec::new();
        for name in names {
            leases.extend(self.found(&name).await?.map(|(lease, _)| lease));
        }
        leases.sort_by(|a, b| (&a.run, &a.scope).cmp(&(&b.run, &b.scope)));
        Ok(leases)
    }

    /// Writes `lease` over what `old` marks. A write whose answer was lost is looked for: what lies there
    /// tells whether it took effect.
    pub(super) async fn write(&self, lease: &Lease, old: Option<&Tag>) -> Result<Tag, LeaseError> {
        let name = register(&lease.scope);
        let bytes = Bytes::from(serde_json::to_vec(lease).unwrap_or_default());
        let answer = tokio::time::timeout(ANSWER, self.place.swap(&name, old, bytes)).await;
        match answer.unwrap_or_else(|_| Err(silent(&name))) {
            Ok(tag) => Ok(tag),
            Err(error) => match self.look(&lease.scope).await? {
                Some((now, tag)) if &now == lease => Ok(tag),
                now if error.kind == StoreErrorKind::Changed => {
                    Err(LeaseError::Lost { scope: lease.scope.clone(), lease: now.map(|(lease, _)| Box::new(lease)) })
                }
                _ => Err(self.broken(error)),
            },
        }
    }

    /// Takes all scopes of the claim, or none. Free are those that nobody has held, that were released, that
    /// the run holds already at this seat, and those of runs of this seat that `is_over` knows to be over.
    pub async fn acquire(&self, claim: &Claim, is_over: impl Fn(&RunId) -> bool) -> Result<Held, LeaseError> {
        self.probe().await?;
        let now = self.clock.now();
        let (mut found, mut kept) = (Vec::new(), Vec::new());
        for scope in &claim.scopes {
            let lease = self.look(scope).await?;
            if let Some((lease, _)) = &lease {
                let same = lease.seat == self.seat && lease.run == claim.run;
                if claim.epoch > 0 && lease.epoch > claim.epoch && !same {
                    return Err(LeaseError::Lost { scope: scope.clone(), lease: Some(Box::new(lease.clone())) });
                }
                let ours = same || (lease.seat == self.seat && is_over(&lease.run));
                if lease.is_held() && !ours {
                    return Err(LeaseError::Held { lease: Box::new(lease.clone()), now });
                }
                kept.extend((same && lease.is_held()).then(|| scope.clone()));
            }
            found.push(lease);
        }
        let (mut held, failed) = self.claim(claim, found, &|_| None).await;
        let Some(error) = failed else { return Ok(held) };
        // What the run held before it keeps, or it would look fenced off to itself. Of the rest, what stays held
        // belongs to this run and is found by its next try.
        held.leave_out(&kept);
        let _ = held.release().await;
        Err(match error {
            // Someone was faster by a moment.
            LeaseError::Lost { lease: Some(lease), .. } if lease.is_held() => LeaseError::Held { lease, now },
            other => other,
        })
    }

    /// Writes the claim over what was found, under an epoch above all of it, up to the first failure.
    async fn claim(
        &self,
        claim: &Claim,
        found: Vec<Option<(Lease, Tag)>>,
        taken: &(dyn Fn(&Lease) -> Option<TakenFrom> + Sync),
    ) -> (Held, Option<LeaseError>) {
        let now = self.clock.now();
        let highest = found.iter().flatten().map(|(lease, _)| lease.epoch).max().unwrap_or(0);
        let epoch = 1 + highest.max(claim.epoch);
        let mut held = Held::new(self.clone());
        for (scope, found) in claim.scopes.iter().zip(found) {
            let lease = Lease {
                scope: scope.clone(),
                epoch,
                holder: claim.holder.clone(),
                run: claim.run.clone(),
                seat: self.seat.clone(),
                acquired_at: now,
                renewed_at: now,
                expires_at: self.expiry(now),
                taken_from: found.as_ref().and_then(|(lease, _)| taken(lease)),
                released_at: None,
                freed_from: None,
            };
            held.freed
                .extend(found.as_ref().map(|(lease, _)| lease).filter(|lease| lease.freed_from.is_some()).cloned());
            match self.write(&lease, found.as_ref().map(|(_, tag)| tag)).await {
                Ok(tag) => held.push(lease, tag),
                Err(error) => return (held, Some(error)),
            }
        }
        (held, None)
    }

    /// The scopes that the run held when its journal ended, taken up again by a new runner of the same seat.
    pub async fn take_up(&self, claim: &Claim) -> Result<Held, LeaseError> {
        self.probe().await?;
        let now = self.clock.now();
        let mut held = Held::new(self.clone());
        for scope in &claim.scopes {
            let Some((lease, tag)) = self.look(scope).await? else {
                return Err(LeaseError::Gone { scope: scope.clone(), place: self.location() });
            };
            if lease.run != claim.run || lease.seat != self.seat || !lease.is_held() {
                return Err(LeaseError::Lost { scope: scope.clone(), lease: Some(Box::new(lease)) });
            }
            let renewed =
                Lease { holder: claim.holder.clone(), renewed_at: now, expires_at: self.expiry(now), ..lease };
            let tag = self.write(&renewed, Some(&tag)).await?;
            held.push(renewed, tag);
        }
        Ok(held)
    }

    /// For a run that is over: gives back whichever of its scopes are held by it still, at this seat.
    pub async fn give_back(&self, claim: &Claim) -> Result<(), LeaseError> {
        let now = self.clock.now();
        for scope in &claim.scopes {
            let Some((lease, tag)) = self.look(scope).await? else { continue };
            if lease.run == claim.run && lease.seat == self.seat && lease.is_held() {
                let free = Lease { renewed_at: now, released_at: Some(now), ..lease };
                self.write(&free, Some(&tag)).await?;
            }
        }
        Ok(())
    }

    /// Frees the run's scopes for other runs, under a higher epoch: its runner, should it live, is fenced off.
    /// What was freed before a failure stays free.
    pub async fn free(&self, run: &RunId, by: &Actor, reason: &str, alive: bool) -> Result<Vec<Lease>, LeaseError> {
        self.probe().await?;
        let now = self.clock.now();
        let held: Vec<Lease> =
            self.all().await?.into_iter().filter(|lease| &lease.run == run && lease.is_held()).collect();
        if held.is_empty() {
            return Err(LeaseError::NothingHeld(run.to_string()));
        }
        if let Some(lease) = held.iter().find(|lease| !alive && !lease.is_expired(now)) {
            return Err(LeaseError::Alive { lease: Box::new(lease.clone()) });
        }
        let mut freed = Vec::new();
        for lease in held {
            let Some((lease, tag)) = self.look(&lease.scope).await? else {
                return Err(LeaseError::Gone { scope: lease.scope, place: self.location() });
            };
            if &lease.run != run || !lease.is_held() {
                return Err(LeaseError::Lost { scope: lease.scope.clone(), lease: Some(Box::new(lease)) });
            }
            let from = TakenFrom {
                holder: lease.holder.clone(),
                epoch: lease.epoch,
                reason: reason.to_owned(),
                renewed_at: lease.renewed_at,
            };
            let free = Lease {
                epoch: lease.epoch + 1,
                holder: by.clone(),
                seat: self.seat.clone(),
                acquired_at: now,
                renewed_at: now,
                released_at: Some(now),
                taken_from: None,
                freed_from: Some(from),
                ..lease
            };
            self.write(&free, Some(&tag)).await?;
            freed.push(free);
        }
        Ok(freed)
    }

    /// Takes the run's scopes from whoever holds them. One that has not expired is taken only where `alive`
    /// allows it: its runner may act until it looks at the lease again.
    pub async fn take_over(&self, claim: &Claim, reason: &str, alive: bool) -> Result<Held, LeaseError> {
        self.probe().await?;
        let now = self.clock.now();
        let mut found = Vec::new();
        for scope in &claim.scopes {
            match self.look(scope).await? {
                Some((lease, tag)) if lease.run == claim.run && lease.is_held() => {
                    if !alive && !lease.is_expired(now) && lease.seat != self.seat {
                        return Err(LeaseError::Alive { lease: Box::new(lease) });
                    }
                    found.push(Some((lease, tag)));
                }
                Some((lease, _)) if lease.is_held() => {
                    return Err(LeaseError::Held { lease: Box::new(lease), now });
                }
                _ => return Err(LeaseError::NothingHeld(claim.run.to_string())),
            }
        }
        let taken = |lease: &Lease| {
            Some(TakenFrom {
                holder: lease.holder.clone(),
                epoch: lease.epoch,
                reason: reason.to_owned(),
                renewed_at: lease.renewed_at,
            })
        };
        // What was taken before a failure stays taken: nobody may act on it before the world was looked at.
        match self.claim(claim, found, &taken).await {
            (held, None) => Ok(held),
            (_, Some(error)) => Err(error),
        }
    }
}

/// Scopes hold any character; names of objects do not.
fn register(scope: &str) -> String {
    format!("{FOLDER}{}", &hex::encode(Sha256::digest(scope))[..40])
}

fn silent(name: &str) -> StoreError {
    let what = format!("no answer within {} s", ANSWER.as_secs());
    StoreError::new(StoreErrorKind::Unreachable, &"shared".into(), Some(name), what)
}
