//! From a configuration file to everything that a command works with.

use super::actor::actor;
use super::clock::SystemClock;
use super::identity::identity;
use super::unopened::UnopenedStore;
use crate::catalog::Catalog;
use crate::config::{self, Config, SystemSecrets, UiSettings};
use crate::model::actor::Actor;
use crate::model::estate::{Estate, StoreConfig, StorePlace};
use crate::model::id::StoreId;
use crate::model::secret::SecretSource;
use crate::model::time::Clock;
use crate::runner::Ground;
use crate::stores::{self, Opened, Store, WritableStore};
use crate::tasks;
use color_eyre::eyre;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything gathered, nothing asked yet: stores that are away show at their first use.
#[derive(Clone, Debug)]
pub struct Setup {
    pub estate: Arc<Estate>,
    /// Absolute path of the configuration file.
    pub config_path: PathBuf,
    pub ui: UiSettings,
    /// Folders of the estate's own checklists.
    pub checklist_dirs: Vec<PathBuf>,
    /// Where leases lie, if not in the state folder.
    pub shared: Option<config::Shared>,
    pub watch: config::Watch,
    /// 0700; exists.
    pub state_dir: PathBuf,
    /// Every store of the estate; one that could not be opened is an [`UnopenedStore`].
    pub stores: Arc<BTreeMap<StoreId, Arc<dyn Store>>>,
    /// Those that may take new objects.
    pub writable: Arc<BTreeMap<StoreId, Arc<dyn WritableStore>>>,
    pub secrets: Arc<dyn SecretSource>,
    pub clock: Arc<dyn Clock>,
    pub actor: Actor,
    /// Identity in use towards stores, as far as the configuration tells.
    pub identity: String,
    /// What the operator should know from the start, one sentence each.
    pub notes: Vec<String>,
}

/// Reads the configuration (`named`, or where one is looked for), makes the state folder and opens the
/// stores.
pub async fn setup(named: Option<&Path>, state: Option<&Path>) -> eyre::Result<Setup> {
    let Config { path, estate, ui, checklist_dirs, shared, watch } = config::load(&config::find(named)?)?;
    let state_dir = config::state_dir(state)?;
    let secrets: Arc<dyn SecretSource> = Arc::new(SystemSecrets);
    let (mut readable, mut writable) = (BTreeMap::new(), BTreeMap::new());
    for store in &estate.stores {
        let (read, write) = open(store, &*secrets).await;
        readable.insert(store.id.clone(), read);
        writable.extend(write.map(|write| (store.id.clone(), write)));
    }
    let actor = actor();
    let identity = identity(&estate, &actor.name);
    Ok(Setup {
        estate: Arc::new(estate),
        config_path: path,
        ui,
        checklist_dirs,
        shared,
        watch,
        state_dir,
        stores: Arc::new(readable),
        writable: Arc::new(writable),
        secrets,
        clock: Arc::new(SystemClock),
        actor,
        identity,
        notes: Vec::new(),
    })
}

async fn open(config: &StoreConfig, secrets: &dyn SecretSource) -> (Arc<dyn Store>, Option<Arc<dyn WritableStore>>) {
    match stores::open(config, secrets).await {
        Ok(Opened { read, write }) => (read, write),
        Err(why) => {
            let location = match &config.place {
                StorePlace::Local { path } => path.display().to_string(),
                StorePlace::S3(place) => format!("s3://{}/{}", place.bucket, place.prefix),
            };
            (Arc::new(UnopenedStore { id: config.id.clone(), location, why }), None)
        }
    }
}

impl Setup {
    /// What planning and running stand on.
    pub fn ground(&self, catalog: Arc<Catalog>) -> Ground {
        Ground {
            estate: Arc::clone(&self.estate),
            stores: Arc::clone(&self.stores),
            writable: Arc::clone(&self.writable),
            secrets: Arc::clone(&self.secrets),
            clock: Arc::clone(&self.clock),
            actor: self.actor.clone(),
            state_dir: self.state_dir.clone(),
            catalog,
            modules: tasks::table::all(),
        }
    }
}
