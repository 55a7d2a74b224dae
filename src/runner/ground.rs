//! What planning and running stand on. Whoever starts them gathers it; they read no configuration.

use super::folder::RunFolder;
use crate::catalog::Catalog;
use crate::model::actor::Actor;
use crate::model::estate::Estate;
use crate::model::id::StoreId;
use crate::model::secret::SecretSource;
use crate::model::time::Clock;
use crate::runbook::{InputRow, InputType, MakesRow, ModuleRow, Modules};
use crate::stores::{Store, WritableStore};
use crate::tasks::{Cancel, InputKind, Owner, Shelf, Table, TaskContext, TaskFeed};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Ground {
    pub estate: Arc<Estate>,
    pub stores: Arc<BTreeMap<StoreId, Arc<dyn Store>>>,
    pub writable: Arc<BTreeMap<StoreId, Arc<dyn WritableStore>>>,
    pub secrets: Arc<dyn SecretSource>,
    pub clock: Arc<dyn Clock>,
    pub actor: Actor,
    pub state_dir: PathBuf,
    /// Last known catalog, for the modules that resolve backups.
    pub catalog: Arc<Catalog>,
    pub modules: Table,
}

impl Ground {
    /// What a task gets while a plan is made.
    pub(super) fn to_plan(&self, feed: TaskFeed) -> TaskContext {
        self.context(Owner::new("plan", "look"), self.state_dir.clone(), Shelf::default(), (feed, Cancel::default()))
    }

    /// What a step's task gets.
    pub(super) fn to_run(&self, folder: &RunFolder, step: &str, shelf: Shelf, live: (TaskFeed, Cancel)) -> TaskContext {
        self.context(Owner::new(folder.run.as_str(), step), folder.work(), shelf, live)
    }

    fn context(
        &self,
        owner: Owner,
        work_dir: PathBuf,
        shelf: Shelf,
        (feed, cancel): (TaskFeed, Cancel),
    ) -> TaskContext {
        TaskContext {
            estate: Arc::clone(&self.estate),
            stores: Arc::clone(&self.stores),
            writable: Arc::clone(&self.writable),
            catalog: Arc::clone(&self.catalog),
            clock: Arc::clone(&self.clock),
            secrets: Arc::clone(&self.secrets),
            actor: self.actor.clone(),
            owner,
            state_dir: self.state_dir.clone(),
            work_dir,
            shelf,
            feed,
            cancel,
        }
    }
}

/// The table of modules as runbooks see it.
pub fn module_rows(table: &Table) -> Modules {
    let kind = |kind: InputKind| match kind {
        InputKind::Text => InputType::Text,
        InputKind::Integer => InputType::Integer,
        InputKind::Flag => InputType::Flag,
        InputKind::List => InputType::List,
        InputKind::Table => InputType::Table,
    };
    let rows = table.modules().map(|module| (module, module.spec())).map(|(module, spec)| ModuleRow {
        name: spec.name.to_owned(),
        effect: spec.effect,
        idempotent: spec.idempotent,
        inputs: spec
            .inputs
            .iter()
            .map(|input| InputRow { name: input.name.to_owned(), kind: kind(input.kind), required: input.required })
            .collect(),
        outputs: spec.outputs.iter().map(|output| (*output).to_owned()).collect(),
        counts: module.counts(),
        makes: module.makes().map(|makes| MakesRow {
            what: makes.what.to_owned(),
            named_by: makes.named_by.to_owned(),
            remove: makes.remove.to_owned(),
            probe: makes.probe.to_owned(),
        }),
    });
    rows.collect()
}
