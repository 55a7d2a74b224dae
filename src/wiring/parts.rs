//! From what a command works with to what the session works with.

use super::setup::Setup;
use crate::journal::lease::Leases;
use crate::session::{LeasePlace, Parts};
use crate::tasks;
use std::sync::Arc;
use std::time::Duration;

/// Distance between two scans of the whole estate.
const RESCAN_EVERY: Duration = Duration::from_mins(5);

impl Setup {
    pub fn parts(&self) -> Parts {
        let modules = tasks::table::all();
        let (runbooks, errors) = self.runbooks();
        let (checklists, unread) = self.checklists();
        let notes = self.notes.iter().chain(&unread).cloned().collect();
        Parts {
            estate: Arc::clone(&self.estate),
            config_path: self.config_path.clone(),
            stores: Arc::clone(&self.stores),
            writable: Arc::clone(&self.writable),
            clock: Arc::clone(&self.clock),
            secrets: Arc::clone(&self.secrets),
            actor: self.actor.clone(),
            identity: self.identity.clone(),
            state_dir: self.state_dir.clone(),
            modules,
            runbooks: Arc::new(runbooks),
            runbook_errors: Arc::new(errors),
            rescan_every: RESCAN_EVERY,
            checklists: Arc::new(checklists),
            leases: self.shared.as_ref().map(|_| Arc::new(self.clone()) as Arc<dyn LeasePlace>),
            notes,
        }
    }
}

#[async_trait::async_trait]
impl LeasePlace for Setup {
    async fn open(&self) -> Result<Leases, String> {
        self.leases().await.map_err(|error| error.to_string())
    }
}
