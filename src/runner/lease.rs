//! The runner's dealings with its lease: asked for before the run begins, proved before it goes on.

use super::drive::Drive;
use super::folder::RunFolder;
use super::keeper::{Keeper, LeaseNews};
use super::mirror::{Behind, Mirroring};
use super::runs;
use crate::event::Purpose;
use crate::journal::JournalError;
use crate::journal::lease::{Claim, Held, LeaseError, Leases};
use crate::model::actor::Actor;
use crate::model::id::{RunId, StepId};
use crate::model::task::Effect;
use crate::runbook::{Input, Intent, Plan};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long the end of a run waits for its mirror.
const MIRROR_END: Duration = Duration::from_secs(15);

/// A wish that waits for the lease.
pub struct Asked {
    pub actor: Actor,
    pub intent: Intent,
    pub answer: oneshot::Sender<Result<(), String>>,
    pub held: Result<Held, LeaseError>,
}

/// The runner's part of the lease.
pub struct Bond {
    leases: Leases,
    plan: Arc<Plan>,
    pub keeper: Option<Keeper>,
    tell: mpsc::UnboundedSender<LeaseNews>,
    pub news: mpsc::UnboundedReceiver<LeaseNews>,
    grant: mpsc::Sender<Asked>,
    pub granted: mpsc::Receiver<Asked>,
    asking: bool,
    /// Of the journal, where the lease lies in a shared place.
    pub mirror: Option<Mirroring>,
}

impl Bond {
    pub fn new(leases: Leases, plan: Arc<Plan>) -> Self {
        let (tell, news) = mpsc::unbounded_channel();
        let (grant, granted) = mpsc::channel(1);
        Self { leases, plan, keeper: None, tell, news, grant, granted, asking: false, mirror: None }
    }

    /// What must be proved before this task starts; looks need nothing.
    pub fn guard(&self, step: &StepId, purpose: Purpose) -> Option<Keeper> {
        let planned = self.plan.step(step)?;
        let changes = match purpose {
            Purpose::Run => planned.effect != Effect::Observe,
            Purpose::Undo => true,
            _ => false,
        };
        self.keeper.clone().filter(|_| changes)
    }
}

impl Drive {
    fn claim(&self) -> Claim {
        let state = self.ledger.state();
        let host = self.hands.ground.actor.host.clone();
        Claim {
            run: state.id.clone(),
            holder: Actor { name: state.operator.name.clone(), host, pid: std::process::id() },
            scopes: state.plan.lock_scope.clone(),
            epoch: state.epoch(),
        }
    }

    /// What a new runner of a run that has begun does first. `Some` says why it must leave at once.
    pub(super) async fn take_up_lease(&mut self) -> Result<Option<String>, JournalError> {
        if let Some(why) = self.ledger.state().fenced_off() {
            return Ok(Some(why.to_owned()));
        }
        if self.ledger.state().lease.is_none() {
            return Ok(None);
        }
        let keeper = Keeper::start(self.hands.bond.leases.clone(), self.claim(), None, self.hands.bond.tell.clone());
        let proved = keeper.prove().await;
        self.hands.bond.keeper = Some(keeper);
        self.mirror();
        if let Err(why) = proved {
            // Before anything else is written, so that nothing follows from the journal alone.
            self.tell_engine(Input::LeaseLapsed { why })?;
        }
        while let Ok(news) = self.hands.bond.news.try_recv() {
            if let Some(why) = self.lease_news(news)? {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    /// From here on the journal is mirrored, from its first line.
    fn mirror(&mut self) {
        let bond = &mut self.hands.bond;
        if bond.leases.is_shared() && bond.mirror.is_none() {
            let place = Arc::clone(bond.leases.place());
            bond.mirror = Some(Mirroring::start(&self.hands.folder, place, self.ledger.state().seq));
        }
    }

    /// `Some` says why the runner must leave.
    pub(super) fn lease_news(&mut self, news: LeaseNews) -> Result<Option<String>, JournalError> {
        match news {
            LeaseNews::Held { epoch, scopes } => {
                let place = self.hands.bond.leases.location();
                self.tell_engine(Input::Leased { epoch, scopes, place })?;
                Ok(None)
            }
            LeaseNews::Lapsed(why) => {
                self.tell_engine(Input::LeaseLapsed { why })?;
                Ok(None)
            }
            LeaseNews::Lost(why) => {
                self.ledger.close();
                self.hands.bond.keeper = None;
                self.hands.bond.mirror = None;
                self.tell_engine(Input::LeaseLost { why: why.clone() })?;
                Ok(Some(format!("fenced off: {why}")))
            }
        }
    }

    /// Whether the wish needs the lease first: then it is asked for beside the loop, and the wish waits.
    pub(super) fn needs_lease_first(&self, intent: &Intent) -> bool {
        let state = self.ledger.state();
        let lapsed = state.lease.as_ref().is_some_and(|lease| lease.lapsed.is_some());
        match intent {
            Intent::Start { .. } | Intent::Resume if state.fenced_off().is_some() || state.status.is_over() => false,
            Intent::Start { .. } => state.plan.needs_lease() && (state.lease.is_none() || lapsed),
            Intent::Resume => lapsed,
            _ => false,
        }
    }

    pub(super) fn ask_for_lease(&mut self, actor: Actor, intent: Intent, answer: oneshot::Sender<Result<(), String>>) {
        if std::mem::replace(&mut self.hands.bond.asking, true) {
            let _ = answer.send(Err("the lease is being asked for already; wait for the answer".to_owned()));
            return;
        }
        // Two that write under one claim would look like two holders.
        self.hands.bond.keeper = None;
        let (leases, claim, grant) = (self.hands.bond.leases.clone(), self.claim(), self.hands.bond.grant.clone());
        let state_dir = self.hands.ground.state_dir.clone();
        tokio::spawn(async move {
            let held = leases.acquire(&claim, |run| is_over(&state_dir, run)).await;
            // The loop is gone only when the runner ends; the lease then belongs to a run of this seat.
            let _ = grant.send(Asked { actor, intent, answer, held }).await;
        });
    }

    pub(super) fn lease_granted(&mut self, asked: Asked) -> Result<Option<String>, JournalError> {
        let Asked { actor, intent, answer, held } = asked;
        self.hands.bond.asking = false;
        let held = match held {
            Ok(held) => held,
            Err(error) => {
                let _ = answer.send(Err(error.to_string()));
                let claim = self.claim();
                return match error {
                    LeaseError::Lost { .. } if claim.epoch > 0 => self.lease_news(LeaseNews::Lost(error.to_string())),
                    // Held before: it goes on being tried.
                    _ if claim.epoch > 0 => {
                        self.hands.bond.keeper = Some(Keeper::start(
                            self.hands.bond.leases.clone(),
                            claim,
                            None,
                            self.hands.bond.tell.clone(),
                        ));
                        Ok(None)
                    }
                    _ => Ok(None),
                };
            }
        };
        let (epoch, scopes, place) = (held.epoch(), held.scopes(), self.hands.bond.leases.location());
        let (remarks, claim) = (held.remarks(), self.claim());
        self.hands.bond.keeper =
            Some(Keeper::start(self.hands.bond.leases.clone(), claim, Some(held), self.hands.bond.tell.clone()));
        self.mirror();
        let mut refused = self.tell_engine(Input::Leased { epoch, scopes, place })?;
        for text in remarks {
            self.tell_engine(Input::Intent { actor: actor.clone(), intent: Intent::Note { text } })?;
        }
        if refused.is_none() {
            refused = self.tell_engine(Input::Intent { actor, intent })?;
        }
        let _ = answer.send(refused.map_or(Ok(()), Err));
        Ok(None)
    }

    /// For a run that was over before: gives back what its last runner could not.
    pub(super) async fn tidy_up(&mut self) {
        let lost = self.ledger.state().fenced_off().is_some();
        if self.ledger.state().lease.is_none() || lost {
            return;
        }
        self.mirror();
        if let Some(mirror) = self.hands.bond.mirror.take()
            && let Err(missing) = mirror.finish(MIRROR_END).await
        {
            tracing::warn!(%missing, "the shared place lacks entries of the journal");
        }
        // Released already, or someone else's: then there is nothing to give back.
        if let Ok(mut held) = self.hands.bond.leases.take_up(&self.claim()).await
            && let Err(error) = held.release().await
        {
            tracing::warn!(%error, "the lease was not given back");
        }
    }

    /// At the end of a run: its mirror is made whole, its lease given back. The words are for whoever watches.
    pub(super) async fn give_back(&mut self) -> Option<String> {
        let run = self.hands.folder.run.clone();
        let mut left = Vec::new();
        if let Some(mirror) = self.hands.bond.mirror.take()
            && let Err(missing) = mirror.finish(MIRROR_END).await
        {
            left.push(format!("the shared place lacks {missing}"));
        }
        if let Some(keeper) = self.hands.bond.keeper.take()
            && let Err(why) = keeper.release().await
        {
            left.push(format!("its lock could not be given back: {why}"));
        }
        if left.is_empty() {
            return None;
        }
        let left = left.join("; ");
        tracing::warn!(%left, "the run is over, but not everything is in its place");
        Some(format!("{left}; `relight resume {run}` makes up for it"))
    }
}

/// How the mirror fares, as soon as that changes.
pub async fn mirror_news(mirror: &mut Option<Mirroring>) -> Option<Behind> {
    if let Some(mirror) = mirror
        && mirror.behind.changed().await.is_ok()
    {
        return mirror.behind.borrow_and_update().clone();
    }
    // There is none, or it has ended: what it said last stands.
    std::future::pending().await
}

/// Whether a run of this state folder keeps no lock any more.
pub fn is_over(state_dir: &Path, run: &RunId) -> bool {
    let entry = runs::read(&RunFolder::of(state_dir, run));
    entry.runner.is_none() && entry.state.is_ok_and(|state| state.status.is_over())
}
