//! The runner's dealings with its lease: asked for before the run begins, proved before it goes on.

use super::drive::Drive;
use super::folder::RunFolder;
use super::keeper::{Keeper, LeaseNews};
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
use tokio::sync::{mpsc, oneshot};

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
}

impl Bond {
    pub fn new(leases: Leases, plan: Arc<Plan>) -> Self {
        let (tell, news) = mpsc::unbounded_channel();
        let (grant, granted) = mpsc::channel(1);
        Self { leases, plan, keeper: None, tell, news, grant, granted, asking: false }
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
        let claim = self.claim();
        self.hands.bond.keeper =
            Some(Keeper::start(self.hands.bond.leases.clone(), claim, Some(held), self.hands.bond.tell.clone()));
        let mut refused = self.tell_engine(Input::Leased { epoch, scopes, place })?;
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
        // Released already, or someone else's: then there is nothing to give back.
        if let Ok(mut held) = self.hands.bond.leases.take_up(&self.claim()).await
            && let Err(error) = held.release().await
        {
            tracing::warn!(%error, "the lease was not given back");
        }
    }

    /// Gives the lease of a run that is over back; the words are for whoever watches.
    pub(super) async fn give_back(&mut self) -> Option<String> {
        let failed = self.hands.bond.keeper.take()?.release().await.err()?;
        tracing::warn!(why = %failed, "the lease was not given back");
        let run = &self.hands.folder.run;
        Some(format!("its lock could not be given back ({failed}); `relight resume {run}` does it later"))
    }
}

/// Whether a run of this state folder keeps no lock any more.
pub fn is_over(state_dir: &Path, run: &RunId) -> bool {
    let entry = runs::read(&RunFolder::of(state_dir, run));
    entry.runner.is_none() && entry.state.is_ok_and(|state| state.status.is_over())
}
