//! One task module run for a command: its progress on standard error, Ctrl-C as its end.

use crate::model::task::{CancelReason, Progress, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::session::Scanned;
use crate::tasks::{Cancel, Owner, Shelf, TaskContext, TaskFeed, table};
use crate::wiring::Setup;
use color_eyre::eyre;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

pub struct Work<'a> {
    pub setup: &'a Setup,
    pub module: &'static str,
    /// Stands before the progress: `verifying`.
    pub doing: &'static str,
}

impl Work<'_> {
    /// To its end. Progress is shown where that is wanted and standard error is a terminal.
    pub async fn run(&self, scanned: Scanned, input: &Values, shown: bool) -> eyre::Result<TaskOutcome> {
        let (feed, progress, _lines) = TaskFeed::new(1);
        let cancel = Cancel::default();
        let cx = self.context(scanned, feed, cancel.clone());
        let modules = table::all();
        let module = modules.get(self.module).ok_or_else(|| eyre::eyre!("the module `{}` is missing", self.module))?;
        let running = module.run(&cx, input);
        tokio::pin!(running);
        let shown = shown && std::io::stderr().is_terminal();
        let mut beat = tokio::time::interval(Duration::from_millis(250));
        let outcome = loop {
            tokio::select! {
                outcome = &mut running => break outcome,
                stopped = tokio::signal::ctrl_c() => {
                    stopped?;
                    cancel.cancel(CancelReason::Operator);
                }
                _ = beat.tick(), if shown => self.tell(&progress.borrow()),
            }
        };
        if shown {
            // With standard error gone there is nobody to tell.
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        Ok(outcome)
    }

    fn context(&self, scanned: Scanned, feed: TaskFeed, cancel: Cancel) -> TaskContext {
        let setup = self.setup;
        TaskContext {
            estate: Arc::clone(&setup.estate),
            stores: Arc::clone(&setup.stores),
            writable: Arc::clone(&setup.writable),
            catalog: Arc::new(scanned.catalog),
            clock: Arc::clone(&setup.clock),
            secrets: Arc::clone(&setup.secrets),
            actor: setup.actor.clone(),
            owner: Owner::new("console", self.doing),
            state_dir: setup.state_dir.clone(),
            work_dir: setup.state_dir.clone(),
            shelf: Shelf::default(),
            feed,
            cancel,
        }
    }

    fn tell(&self, progress: &Progress) {
        let _ = write!(std::io::stderr(), "\r{}: {progress} {}\x1b[K", self.doing, escaped(&progress.note));
    }
}
