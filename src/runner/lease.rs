//! The runner's dealings with its lease: asked for before the run begins, proved before it goes on.

use super::bond::{Asked, Bond, Granted, Heard};
use super::drive::Drive;
use super::folder::RunFolder;
use super::runs;
use crate::journal::JournalError;
use crate::journal::lease::Claim;
use crate::journal::mirror::Mirror;
use crate::model::actor::Actor;
use crate::model::id::RunId;
use crate::runbook::{Input, Intent};
use std::path::Path;
use tokio::sync::oneshot;

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

    fn to_mirror(&self) -> (Mirror, u64) {
        let folder = &self.hands.folder;
        (Mirror::of(&folder.path, &folder.run), self.ledger.state().seq)
    }

    /// What a new runner of a run that has begun does first. `Some` says why it must leave at once.
    pub(super) async fn take_up_lease(&mut self) -> Result<Option<String>, JournalError> {
        if let Some(why) = self.ledger.state().fenced_off() {
            return Ok(Some(why.to_owned()));
        }
        if self.ledger.state().lease.is_none() {
            return Ok(None);
        }
        let (claim, (mirror, seq)) = (self.claim(), self.to_mirror());
        for heard in self.hands.bond.take_up(claim, mirror, seq).await {
            if let Some(why) = self.lease_news(heard)? {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    /// `Some` says why the runner must leave.
    pub(super) fn lease_news(&mut self, heard: Heard) -> Result<Option<String>, JournalError> {
        if heard.leave.is_some() {
            self.ledger.close();
        }
        self.tell_engine(heard.input)?;
        Ok(heard.leave)
    }

    /// Whether the wish needs the lease first: then it is asked for beside the loop, and the wish waits.
    pub(super) fn needs_lease_first(&self, intent: &Intent) -> bool {
        Bond::is_needed_first(self.ledger.state(), intent)
    }

    pub(super) fn ask_for_lease(&mut self, actor: Actor, intent: Intent, answer: oneshot::Sender<Result<(), String>>) {
        let (claim, state_dir) = (self.claim(), self.hands.ground.state_dir.clone());
        self.hands.bond.ask(claim, move |run| is_over(&state_dir, run), (actor, intent, answer));
    }

    pub(super) fn lease_granted(&mut self, asked: Asked) -> Result<Option<String>, JournalError> {
        let (claim, (mirror, seq)) = (self.claim(), self.to_mirror());
        match self.hands.bond.grant(asked, claim, mirror, seq) {
            Granted::No(None) => Ok(None),
            Granted::No(Some(heard)) => self.lease_news(heard),
            Granted::Yes { first, wish, answer } => {
                let mut refused = None;
                for input in first {
                    let of_lease = matches!(input, Input::Leased { .. });
                    let told = self.tell_engine(input)?;
                    refused = refused.or(told.filter(|_| of_lease));
                }
                if refused.is_none() {
                    refused = self.tell_engine(wish)?;
                }
                let _ = answer.send(refused.map_or(Ok(()), Err));
                Ok(None)
            }
        }
    }

    /// For a run that was over before: gives back what its last runner could not.
    pub(super) async fn tidy_up(&mut self) {
        let lost = self.ledger.state().fenced_off().is_some();
        if self.ledger.state().lease.is_some() && !lost {
            let (claim, (mirror, seq)) = (self.claim(), self.to_mirror());
            self.hands.bond.tidy_up(claim, mirror, seq).await;
        }
    }

    /// At the end of a run: its mirror is made whole, its lease given back. The words are for whoever watches.
    pub(super) async fn give_back(&mut self) -> Option<String> {
        let left = self.hands.bond.give_back().await;
        if left.is_empty() {
            return None;
        }
        let left = left.join("; ");
        tracing::warn!(%left, "the run is over, but not everything is in its place");
        Some(format!("{left}; `relight resume {}` makes up for it", self.hands.folder.run))
    }
}

/// Whether a run of this state folder keeps no lock any more.
pub fn is_over(state_dir: &Path, run: &RunId) -> bool {
    let entry = runs::read(&RunFolder::of(state_dir, run));
    entry.runner.is_none() && entry.state.is_ok_and(|state| state.status.is_over())
}
