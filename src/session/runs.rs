//! Runs: the list, a plan, and a new or resumed runner. Everything slow happens beside the loop.

use super::news::News;
use super::state::State;
use super::view::RunRow;
use crate::health::Severity;
use crate::model::id::{RunId, RunbookId};
use crate::model::task::Values;
use crate::runbook::{Armed, Intent, Mode, Plan};
use crate::runner::{self, Client, Ground, Listing, RunEntry, RunFolder, RunnerError};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;

impl State {
    /// Looks at the runs folder, unless the last look still goes on.
    pub fn list_runs(&mut self) {
        if std::mem::replace(&mut self.listing_runs, true) {
            return;
        }
        let (state_dir, news) = (self.parts.state_dir.clone(), self.news.clone());
        let mut listing = std::mem::take(&mut self.listing);
        tokio::task::spawn_blocking(move || {
            let (rows, trouble) = match listing.look(&state_dir) {
                Ok(entries) => rows_of(&entries),
                Err(error) => (Vec::new(), vec![error.to_string()]),
            };
            // The loop is gone only when the program ends.
            let _ = news.blocking_send(News::Runs { rows, trouble, listing });
        });
    }

    pub fn runs_listed(&mut self, rows: Vec<RunRow>, trouble: &[String], listing: Listing) {
        self.listing_runs = false;
        self.listing = listing;
        for row in rows.iter().filter(|row| row.over && !row.owes.is_empty()) {
            let what = format!("Drill {} has not cleared {}.", row.id, row.owes.join(", "));
            self.stands(&what, Severity::Warning, &what, &format!("`relight clean {}` clears it.", row.id));
        }
        let now = self.now();
        for row in rows.iter().filter(|row| row.decide_by.is_some_and(|by| by <= now)) {
            let what = format!("Run {} is recovered and not committed, and the time to decide has passed.", row.id);
            self.stands(
                &what,
                Severity::Critical,
                &what,
                "It holds: open it, and commit, choose another point, or roll back.",
            );
        }
        self.here = rows;
        self.show_runs();
        self.reconnect();
        for line in trouble {
            self.stands(line, Severity::Warning, line, "`relight journal verify` names the place.");
        }
    }

    fn ground(&self) -> Ground {
        Ground {
            estate: Arc::clone(&self.parts.estate),
            stores: Arc::clone(&self.parts.stores),
            writable: Arc::clone(&self.parts.writable),
            secrets: Arc::clone(&self.parts.secrets),
            clock: Arc::clone(&self.parts.clock),
            actor: self.parts.actor.clone(),
            state_dir: self.parts.state_dir.clone(),
            catalog: Arc::clone(&self.view.catalog),
            modules: self.parts.modules.clone(),
        }
    }

    pub fn make_plan(
        &mut self,
        runbook: RunbookId,
        params: Values,
        mode: Mode,
        answer: oneshot::Sender<Result<Plan, Vec<String>>>,
    ) {
        let (ground, runbooks) = (self.ground(), Arc::clone(&self.parts.runbooks));
        tokio::spawn(async move {
            let planned = match runbooks.iter().find(|known| known.id == runbook) {
                Some(runbook) => runner::planner::make_plan(&ground, runbook, &params, mode, |_| ()).await,
                None => Err(vec![format!("there is no runbook `{runbook}`")]),
            };
            // Who asked may have closed the dialog.
            let _ = answer.send(planned);
        });
    }

    pub fn another_plan(&mut self, params: Values, answer: oneshot::Sender<Result<Plan, Vec<String>>>) {
        let (ground, runbooks) = (self.ground(), Arc::clone(&self.parts.runbooks));
        let plan = self.view.open_run.as_ref().map(|run| Arc::clone(&run.state.plan));
        tokio::spawn(async move {
            let planned = match plan {
                Some(plan) => match runbooks.iter().find(|known| known.id == plan.runbook) {
                    Some(runbook) => runner::planner::another_plan(&ground, runbook, &plan, &params, |_| ()).await,
                    None => Err(vec![format!("there is no runbook `{}` any more", plan.runbook)]),
                },
                None => Err(vec!["no run is open".to_owned()]),
            };
            // Who asked may have closed the dialog.
            let _ = answer.send(planned);
        });
    }

    pub fn start_run(&mut self, plan: Box<Plan>, answer: oneshot::Sender<Result<RunId, String>>) {
        let start = Start {
            state_dir: self.parts.state_dir.clone(),
            config: self.parts.config_path.clone(),
            ground: self.ground(),
            armed: self.view.armed.clone(),
        };
        tokio::spawn(async move {
            let started = start.new_run(&plan).await.map_err(|error| error.to_string());
            let _ = answer.send(started);
        });
        self.list_runs();
    }

    pub fn resume_run(&mut self, run: RunId) {
        let folder = RunFolder::of(&self.parts.state_dir, &run);
        let (state_dir, news) = (self.parts.state_dir.clone(), self.news.clone());
        tokio::spawn(async move {
            let ended = match runner::spawn::start(&folder, &state_dir).await {
                // Someone else was faster: then it runs, which is what was wanted.
                Ok(()) | Err(RunnerError::Taken { .. }) => Ok(()),
                Err(error) => Err(error.to_string()),
            };
            let _ = news.send(News::Resumed { run, ended }).await;
        });
    }

    pub fn resumed(&mut self, run: &RunId, ended: Result<(), String>) {
        match ended {
            Ok(()) if self.followed.as_ref().is_some_and(|followed| &followed.run == run) => {
                self.open_run(run.clone());
            }
            Ok(()) => {}
            Err(why) => self.tell(
                Severity::Critical,
                &format!("Run {run} could not be resumed: {why}."),
                "The journal holds everything; `relight report` shows where it stands.",
            ),
        }
    }
}

struct Start {
    state_dir: PathBuf,
    config: PathBuf,
    ground: Ground,
    armed: Option<Armed>,
}

impl Start {
    /// The run exists before its runner does, so that a runner that does not come up loses nothing.
    async fn new_run(self, plan: &Plan) -> Result<RunId, RunnerError> {
        let (actor, now) = (self.ground.actor.clone(), self.ground.clock.now());
        let folder = runner::spawn::create(&self.state_dir, plan, &self.config, &actor, now)?;
        runner::spawn::start(&folder, &self.state_dir).await?;
        if let Some(armed) = self.armed.filter(|armed| armed.until > now) {
            let (client, _told) = Client::connect(&folder, &actor, u64::MAX).await?;
            let intent = Intent::Arm { reason: armed.reason, incident: armed.incident, until: armed.until };
            // Refused or not, the run asks for it again where it needs it.
            let _ = client.intent(intent).await;
        }
        Ok(folder.run)
    }
}

fn rows_of(entries: &[RunEntry]) -> (Vec<RunRow>, Vec<String>) {
    let (mut rows, mut trouble) = (Vec::new(), Vec::new());
    for entry in entries {
        match &entry.state {
            Ok(state) => rows.push(RunRow {
                id: entry.folder.run.clone(),
                title: state.plan.title.clone(),
                mode: state.plan.mode.to_string(),
                status: entry.word().to_owned(),
                needs_operator: state.awaits_person() || entry.is_lost(),
                driven: entry.runner.is_some(),
                over: state.status.is_over(),
                created_at: state.created_at,
                operator: state.operator.clone(),
                held: None,
                decide_by: state
                    .provisional
                    .as_ref()
                    .filter(|_| state.is_provisional())
                    .and_then(|provisional| provisional.decide_by),
                owes: state.debts.iter().filter(|debt| debt.is_due()).map(|debt| debt.title.clone()).collect(),
            }),
            Err(why) => trouble.push(format!("Run {} cannot be read: {why}.", entry.folder.run)),
        }
    }
    (rows, trouble)
}
