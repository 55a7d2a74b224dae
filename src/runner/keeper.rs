//! Keeps a run's lease alive, and says when it cannot.

use crate::journal::lease::{Claim, Held, LeaseError, Leases};
use crate::model::time::Timestamp;
use std::sync::{Arc, Mutex as Flag, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

/// Renewals within one term of the lease.
const RENEWALS: u32 = 4;
/// Part of its term in which a lease is not acted under any more without a renewal: whoever takes it over goes by another
/// machine's clock, which may be fast by as much.
const CLOCKS: u32 = 6;
/// Longest wait for a proof that someone waits for.
const PROOF: Duration = Duration::from_secs(10);
/// Longest wait for giving the lease back.
const FAREWELL: Duration = Duration::from_secs(20);

/// What happens to a lease behind its run's back.
#[derive(Debug, PartialEq, Eq)]
pub enum LeaseNews {
    Held { epoch: u64, scopes: Vec<String> },
    Lapsed(String),
    Lost(String),
}

/// A moment by both clocks: one stands still while the machine sleeps, the other may be set.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    mono: Instant,
    at: Timestamp,
}

impl Asking {
    pub fn now(leases: &Leases) -> Self {
        Self { mono: Instant::now(), at: leases.now() }
    }

    fn is_older_than(self, span: Duration, now: Self) -> bool {
        let passed = now.at.signed_duration_since(self.at).to_std().unwrap_or_default();
        now.mono.saturating_duration_since(self.mono).max(passed) >= span
    }
}

/// Shared by the runner's loop and the tasks that it starts.
#[derive(Clone)]
pub struct Keeper(Arc<Kept>);

struct Kept {
    leases: Leases,
    claim: Claim,
    /// `None` while a new runner has not proved yet that the lease is still its own.
    held: Mutex<Option<Held>>,
    /// When the last renewal that worked was asked for, and whether the lease has lapsed since.
    last: Flag<(Asking, bool)>,
    news: mpsc::UnboundedSender<LeaseNews>,
}

impl Keeper {
    /// Begins to renew what is held since it was asked for; without that it first takes up what the claim says. The
    /// process may have stood still between the asking and now.
    pub fn start(
        leases: Leases,
        claim: Claim,
        held: Option<(Held, Asking)>,
        news: mpsc::UnboundedSender<LeaseNews>,
    ) -> Self {
        let lapsed = held.is_none();
        let (held, asked) = held.unzip();
        let last = Flag::new((asked.unwrap_or_else(|| Asking::now(&leases)), lapsed));
        let keeper = Self(Arc::new(Kept { leases, claim, held: Mutex::new(held), last, news }));
        let kept = Arc::downgrade(&keeper.0);
        let pause = keeper.0.leases.term() / RENEWALS;
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(kept) = kept.upgrade() else { return };
                if kept.renew().await.is_err_and(|error| error.is_lost()) {
                    return;
                }
            }
        });
        keeper
    }

    /// Proves that the lease is still held, by renewing it. An answer that does not come in time is no
    /// refusal while the last renewal still holds.
    pub async fn prove(&self) -> Result<(), String> {
        let renewed = tokio::time::timeout(PROOF, self.0.renew()).await;
        match renewed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.is_lost() => Err(error.to_string()),
            Ok(Err(_)) | Err(_) if !self.0.is_over_time() => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                let why = format!("{} does not answer", self.0.leases.location());
                self.0.lapse(&why);
                Err(why)
            }
        }
    }

    /// Gives the lease back; the error says why it stays held.
    pub async fn release(self) -> Result<(), String> {
        let giving = async {
            match &mut *self.0.held.lock().await {
                Some(held) => held.release().await.map_err(|error| error.to_string()),
                None => Err("it was never proved to be held".to_owned()),
            }
        };
        let given = tokio::time::timeout(FAREWELL, giving).await;
        given.unwrap_or_else(|_| Err(format!("{} does not answer", self.0.leases.location())))
    }
}

impl Kept {
    fn last(&self) -> std::sync::MutexGuard<'_, (Asking, bool)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over_time(&self) -> bool {
        let (renewed, lapsed) = *self.last();
        let term = self.leases.term();
        lapsed || renewed.is_older_than(term.saturating_sub(term / CLOCKS), Asking::now(&self.leases))
    }

    fn lapse(&self, why: &str) {
        self.last().1 = true;
        self.tell(LeaseNews::Lapsed(why.to_owned()));
    }

    fn tell(&self, news: LeaseNews) {
        // The loop is gone only when the runner ends.
        let _ = self.news.send(news);
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        let mut held = self.held.lock().await;
        let began = Asking::now(&self.leases);
        let renewed = match &mut *held {
            Some(held) => held.renew().await,
            none => self.leases.take_up(&self.claim).await.map(|taken| *none = Some(taken)),
        };
        match &renewed {
            Ok(()) => {
                let lapsed = std::mem::replace(&mut *self.last(), (began, false)).1;
                if let Some(held) = held.as_ref().filter(|_| lapsed) {
                    self.tell(LeaseNews::Held { epoch: held.epoch(), scopes: held.scopes() });
                }
            }
            Err(error) if error.is_lost() => self.tell(LeaseNews::Lost(error.to_string())),
            Err(error) if self.is_over_time() => self.lapse(&error.to_string()),
            Err(error) => tracing::warn!(%error, "the lease was not renewed; it still holds"),
        }
        renewed
    }
}
