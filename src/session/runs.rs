//! Runs: the list, and the way into one.

use super::state::State;
use super::view::RunRow;
use crate::health::Severity;
use crate::model::id::{BackupId, RunId, RunbookId, StoreId};
use crate::model::proof::Level;
use crate::model::task::Values;
use crate::runbook::{Intent, Mode, Plan};
use tokio::sync::oneshot;

const NOT_HERE: &str = "This build has no runner yet.";

impl State {
    pub fn list_runs(&mut self) {}

    pub fn runs_listed(&mut self, rows: Vec<RunRow>, trouble: &[String]) {
        self.show_runs(rows);
        for line in trouble {
            self.stands(line, Severity::Warning, line, "");
        }
    }

    pub fn make_plan(&mut self, _: RunbookId, _: Values, _: Mode, answer: oneshot::Sender<Result<Plan, Vec<String>>>) {
        let _ = answer.send(Err(vec![NOT_HERE.to_owned()]));
    }

    pub fn start_run(&mut self, _: Box<Plan>, answer: oneshot::Sender<Result<RunId, String>>) {
        let _ = answer.send(Err(NOT_HERE.to_owned()));
    }

    pub fn open_run(&mut self, _: RunId) {
        self.tell(Severity::Warning, NOT_HERE, "");
    }

    pub fn resume_run(&mut self, _: RunId) {
        self.tell(Severity::Warning, NOT_HERE, "");
    }

    pub fn close_run(&mut self) {}

    pub fn send_intent(&mut self, _: Intent, answer: oneshot::Sender<Result<(), String>>) {
        let _ = answer.send(Err(NOT_HERE.to_owned()));
    }

    pub fn pass_on(&mut self, _: Intent) {}

    pub fn verify(&mut self, _: &BackupId, _: Level, _: Option<&StoreId>) {
        self.tell(Severity::Warning, NOT_HERE, "");
    }
}
