//! What each wish and each piece of news does to the state.

use super::handle::Request;
use super::news::News;
use super::scan::Extent;
use super::state::State;
use crate::catalog::cache;
use crate::checklist::Log;
use crate::health::Severity;
use crate::model::task::{CancelReason, TaskOutcome};
use crate::proof::Ledger;
use std::sync::Arc;

impl State {
    pub fn request(&mut self, request: Request) {
        match request {
            Request::Rescan { store } => self.scan(store.map_or(Extent::All, Extent::One)),
            Request::Verify { backup, level, store } => self.verify(&backup, level, store.as_ref()),
            Request::CancelTask { task } => {
                if self.tasks.cancel(task, CancelReason::Operator) {
                    self.touch();
                } else {
                    self.tell(Severity::Warning, &format!("Task {task} is not running any more."), "");
                }
            }
            Request::Arm { reason, incident, span } => self.arm(&reason, incident, span),
            Request::Disarm => self.disarm(),
            Request::MakePlan { runbook, params, mode, answer } => self.make_plan(runbook, params, mode, answer),
            Request::AnotherPlan { params, answer } => self.another_plan(params, answer),
            Request::StartRun { plan, answer } => self.start_run(plan, answer),
            Request::OpenRun { run } => self.open_run(run),
            Request::ResumeRun { run } => self.resume_run(run),
            Request::CloseRun => self.close_run(),
            Request::Lock { run, wish, reason, alive, answer } => self.lock(run, wish, (reason, alive), answer),
            Request::Intent { intent, answer } => self.send_intent(intent, answer),
            Request::AnswerItem { checklist, item, outcome, text } => self.answer_item(checklist, item, outcome, text),
            Request::Dismiss { notice } => {
                self.notices.dismiss(notice);
                self.touch();
            }
            // The loop itself ends on it.
            Request::Quit => {}
        }
    }

    pub fn news(&mut self, news: News) {
        match news {
            News::Remembered(remembered) => self.remembered(*remembered),
            News::Proofs(proofs) => self.proofs_read(*proofs),
            News::Answers { answers, trouble } => self.answers_read(answers, trouble.as_deref()),
            News::Scanned { catalog, trouble } => {
                self.scanned(Arc::unwrap_or_clone(catalog));
                match trouble {
                    Some(why) => self.stands(
                        "keeping the catalog",
                        Severity::Warning,
                        &format!("The catalog could not be kept for the next start: {why}."),
                        "Check the state folder's permissions and free space.",
                    ),
                    None => self.notices.cleared("keeping the catalog"),
                }
            }
            News::Runs { rows, trouble, listing } => self.runs_listed(rows, &trouble, listing),
            News::Away(looked) => self.away_listed(*looked),
            News::Locked { run, wish } => self.locked(run, wish),
            News::Resumed { run, ended } => self.resumed(&run, ended),
            News::Told { run, told } => self.told(&run, *told),
        }
    }

    /// A task has ended.
    pub fn ended(&mut self, id: u64, outcome: TaskOutcome) {
        let title = self.tasks.record(id).map(|record| record.title.clone()).unwrap_or_default();
        let failure = match &outcome {
            TaskOutcome::Failed { failure } => Some((Severity::Critical, failure.clone())),
            TaskOutcome::Unknown { failure } => Some((Severity::Unknown, failure.clone())),
            TaskOutcome::Done { .. } | TaskOutcome::Cancelled { .. } => None,
        };
        let now = self.now();
        if !self.tasks.settle(id, outcome, now) {
            return;
        }
        self.touch();
        if self.scanning.as_ref().is_some_and(|scanning| scanning.task == id) {
            self.scan_ended();
        }
        // It may have written to the ledger, whatever its end.
        if self.verifying.remove(&id) {
            self.read_proofs();
        }
        if let Some((severity, failure)) = failure {
            self.tell(severity, &format!("{title}: {}", failure.what), &failure.next);
        }
    }

    /// Reads what earlier sessions left, beside the loop.
    pub fn remember(&mut self) {
        let (folder, file) = (self.parts.state_dir.clone(), self.parts.catalog_file());
        let news = self.news.clone();
        tokio::task::spawn_blocking(move || {
            let proofs = Ledger::in_state(&folder).read().map_err(|error| error.to_string());
            let catalog = cache::load(&file).map_err(|error| error.to_string());
            let answers = Log::in_state(&folder).read().map_err(|error| error.to_string());
            // The loop is gone only when the program ends.
            let _ = news.blocking_send(News::Answers { answers, trouble: None });
            let _ = news.blocking_send(News::Proofs(Box::new(proofs)));
            let _ = news.blocking_send(News::Remembered(Box::new(catalog)));
        });
    }

    fn remembered(&mut self, catalog: Result<Option<crate::catalog::Catalog>, String>) {
        match catalog {
            Ok(Some(catalog)) => {
                let known = super::scan::of_this_estate(catalog, &self.parts);
                self.show_catalog(known, true);
            }
            Ok(None) => {}
            Err(why) => self.tell(
                Severity::Warning,
                &format!("The last catalog cannot be shown: {why}."),
                "The scan that runs now replaces it.",
            ),
        }
        self.scan(Extent::All);
    }
}
