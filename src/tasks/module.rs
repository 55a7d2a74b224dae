//! What a task module is, and the table of them.

use super::context::TaskContext;
use super::input::Stop;
use super::reach::{Makes, Reach};
pub use crate::model::amount::{Amount, Counts};
pub use crate::model::task::Reality;
use crate::model::task::{Effect, Failure, TaskOutcome, Values};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The row that a module has in the table: parser, plan preview and reference come from it.
#[derive(Debug)]
pub struct ModuleSpec {
    /// `subject.verb`, for example `pg.restore`.
    pub name: &'static str,
    /// What it does, one line, imperative.
    pub summary: &'static str,
    pub effect: Effect,
    pub inputs: &'static [InputSpec],
    /// Names of the values that it returns.
    pub outputs: &'static [&'static str],
    /// Running it twice with the same input does no harm and ends the same.
    pub idempotent: bool,
    /// How its effect is taken back, or why it cannot be.
    pub undo: &'static str,
    /// Programs that it runs.
    pub programs: &'static [&'static str],
}

#[derive(Debug)]
pub struct InputSpec {
    pub name: &'static str,
    pub kind: InputKind,
    pub required: bool,
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    Text,
    Integer,
    Flag,
    List,
    Table,
}

/// One unit of work. It must check its preconditions itself, stop soon after `cx.cancel`, and report
/// `TaskOutcome::Unknown` rather than guess.
#[async_trait::async_trait]
pub trait Module: Send + Sync + 'static {
    fn spec(&self) -> &'static ModuleSpec;

    async fn run(&self, cx: &TaskContext, input: &Values) -> TaskOutcome;

    /// Where it works. One that changes something and does not say cannot be part of a drill.
    fn reach(&self) -> Option<Reach> {
        None
    }

    /// What is there afterwards that was not before.
    fn makes(&self) -> Option<Makes> {
        None
    }

    /// What [`Module::count`] tells; a runbook may limit that, and nothing else.
    fn counts(&self) -> Counts {
        Counts::default()
    }

    /// Looks how much a run with this input would touch. Nothing is changed by it.
    async fn count(&self, _cx: &TaskContext, _input: &Values) -> Result<Amount, Stop> {
        Err(Failure::new(format!("`{}` does not count what it touches", self.spec().name)).into())
    }

    /// Looks at the world to learn what became of an earlier attempt with this input. Observing modules
    /// need none: running them again is the look.
    async fn reconcile(&self, _cx: &TaskContext, _input: &Values) -> Reality {
        Reality::NotDone("it only reads".to_owned())
    }
}

/// All modules by name.
#[derive(Clone, Default)]
pub struct Table(BTreeMap<&'static str, Arc<dyn Module>>);

impl Table {
    /// Adds a module. A second one of the same name replaces the first; a test holds that none does.
    pub fn add(&mut self, module: impl Module) {
        self.0.insert(module.spec().name, Arc::new(module));
    }
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Module>> {
        self.0.get(name)
    }
    pub fn modules(&self) -> impl Iterator<Item = &dyn Module> + '_ {
        self.0.values().map(|module| &**module)
    }
    pub fn specs(&self) -> impl Iterator<Item = &'static ModuleSpec> + '_ {
        self.0.values().map(|module| module.spec())
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
