//! What a session is made from. The wiring gathers it; the session reads no configuration itself.

use crate::catalog::Catalog;
use crate::checklist::Checklist;
use crate::journal::lease::Leases;
use crate::model::actor::Actor;
use crate::model::estate::Estate;
use crate::model::id::StoreId;
use crate::model::secret::SecretSource;
use crate::model::time::Clock;
use crate::runbook::Runbook;
use crate::stores::{Store, WritableStore};
use crate::tasks::{Cancel, Owner, Table, TaskContext, TaskFeed};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Opens the shared place where leases lie; asked again until it can be opened.
#[async_trait::async_trait]
pub trait LeasePlace: Send + Sync + std::fmt::Debug {
    async fn open(&self) -> Result<Leases, String>;
}

#[derive(Clone, Debug)]
pub struct Parts {
    pub estate: Arc<Estate>,
    /// The configuration file that was read: a started runner reads the same one.
    pub config_path: PathBuf,
    pub stores: Arc<BTreeMap<StoreId, Arc<dyn Store>>>,
    /// Stores that may take new objects; a subset of `stores`.
    pub writable: Arc<BTreeMap<StoreId, Arc<dyn WritableStore>>>,
    pub clock: Arc<dyn Clock>,
    pub secrets: Arc<dyn SecretSource>,
    pub actor: Actor,
    /// Identity in use towards stores, as far as the configuration tells.
    pub identity: String,
    /// Folder of Relight's state (0700); exists.
    pub state_dir: PathBuf,
    pub modules: Table,
    pub runbooks: Arc<Vec<Runbook>>,
    /// Runbook files that could not be read: located errors, ready to show.
    pub runbook_errors: Arc<Vec<String>>,
    pub checklists: Arc<Vec<Checklist>>,
    /// The shared place, where one is configured.
    pub leases: Option<Arc<dyn LeasePlace>>,
    /// Distance between two scans of the whole estate.
    pub rescan_every: Duration,
    /// What the operator should know from the start, one sentence each: shown as notices.
    pub notes: Vec<String>,
}

/// The last catalog's file below the state folder.
const CATALOG_FILE: &str = "catalog.json";

impl Parts {
    pub fn catalog_file(&self) -> PathBuf {
        self.state_dir.join(CATALOG_FILE)
    }

    /// The stores in the shape that a scan takes.
    pub(super) fn to_scan(&self) -> crate::catalog::Stores {
        self.stores.iter().map(|(id, store)| (id.clone(), Ok(Arc::clone(store)))).collect()
    }

    /// What a task of the session gets to work with.
    pub fn task_context(&self, catalog: Arc<Catalog>, owner: Owner, feed: TaskFeed, cancel: Cancel) -> TaskContext {
        TaskContext {
            estate: Arc::clone(&self.estate),
            stores: Arc::clone(&self.stores),
            writable: Arc::clone(&self.writable),
            catalog,
            clock: Arc::clone(&self.clock),
            secrets: Arc::clone(&self.secrets),
            actor: self.actor.clone(),
            owner,
            state_dir: self.state_dir.clone(),
            work_dir: self.state_dir.clone(),
            shelf: crate::tasks::Shelf::default(),
            feed,
            cancel,
        }
    }
}
