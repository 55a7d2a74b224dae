//! What an action needs, and the sentence that says why it cannot run now.

use crate::model::id::{AssetId, BackupId, RunId, RunbookId, StoreId};
use crate::runbook::{QuestionKind, RunStatus, RunbookKind};
use crate::session::View;
use crate::session::view::{Held, Link};

/// What the cursor is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    Nothing,
    Asset(AssetId),
    Backup(BackupId),
    Runbook(RunbookId),
    Run(RunId),
    Task(u64),
    Store(StoreId),
    Notice(u64),
    /// Something that can only be copied.
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// The screen is not frozen.
    Live,
    Unarmed,
    Armed,
    Backup,
    /// A backup, and a runbook that restores its kind of asset.
    Restore,
    Question,
    Startable,
    RunLive,
    /// The run goes on, whoever operates it.
    RunAlive,
    RunLost,
    /// The run is recovered and not committed, and its runbook declares another point.
    Provisional,
    /// A run that another machine holds.
    Away,
    Task,
    Store,
    Notice,
}

#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    pub view: &'a View,
    pub frozen: bool,
    pub selected: &'a Selected,
}

const FROZEN: &str = "the screen is frozen; ctrl-f lets it go on";

/// The reason, unless it is met.
fn if_not(met: bool, why: &str) -> Option<String> {
    (!met).then(|| why.to_owned())
}

impl Situation<'_> {
    /// Why the need is not met, as the end of a sentence that begins with the action's title.
    pub fn why_not(&self, need: Need) -> Option<String> {
        let no = |text: &str| Some(text.to_owned());
        if self.frozen && !matches!(need, Need::Nothing | Need::Armed) {
            return no(FROZEN);
        }
        match need {
            Need::Nothing | Need::Live => None,
            Need::Unarmed => self.view.armed.as_ref().and_then(|_| no("already armed; D disarms")),
            Need::Armed => if_not(self.view.armed.is_some(), "already read-only"),
            Need::Backup => if_not(self.backup().is_some(), "no backup is selected"),
            Need::Restore => self.why_no_restore(),
            Need::Question | Need::Startable | Need::RunLive | Need::RunAlive | Need::RunLost | Need::Provisional => {
                self.why_not_run(need)
            }
            Need::Away => if_not(self.held().is_some(), "no other machine holds it"),
            Need::Task => match self.selected {
                Selected::Task(id) => {
                    let running = self.view.tasks.iter().any(|task| task.id == *id && task.ended_at.is_none());
                    if_not(running, "the task has ended")
                }
                _ => no("no task is selected"),
            },
            Need::Store => if_not(matches!(self.selected, Selected::Store(_)), "no store is selected"),
            Need::Notice => if_not(matches!(self.selected, Selected::Notice(_)), "there is no notice"),
        }
    }

    /// The selected backup: itself, or the newest of the selected asset.
    pub fn backup(&self) -> Option<BackupId> {
        match self.selected {
            Selected::Backup(id) => self.view.catalog.get(id).map(|backup| backup.id.clone()),
            Selected::Asset(asset) => {
                let newest = self.view.health.assets.iter().find(|a| &a.id == asset)?.newest.clone()?;
                self.view.catalog.get(&newest).map(|backup| backup.id.clone())
            }
            _ => None,
        }
    }

    /// How the selected run is held from elsewhere.
    pub fn held(&self) -> Option<&Held> {
        let Selected::Run(id) = self.selected else { return None };
        self.view.runs.iter().find(|row| &row.id == id)?.held.as_ref()
    }

    pub fn asset(&self) -> Option<AssetId> {
        match self.selected {
            Selected::Asset(asset) => Some(asset.clone()),
            Selected::Backup(id) => self.view.catalog.get(id).map(|backup| backup.asset.clone()),
            _ => None,
        }
    }

    fn why_no_restore(&self) -> Option<String> {
        let Some(asset) = self.asset() else { return Some("no backup is selected".to_owned()) };
        if super::screens::restore_runbooks(self.view, &asset).next().is_some() {
            return None;
        }
        if self.view.runbooks.iter().all(|runbook| runbook.kind != RunbookKind::Restore) {
            return Some("no restore runbook is loaded".to_owned());
        }
        let kind = self.view.estate.asset(&asset).map_or_else(String::new, |a| a.kind.to_string());
        Some(format!("no loaded runbook restores {kind} assets"))
    }

    fn why_not_run(&self, need: Need) -> Option<String> {
        let Some(run) = &self.view.open_run else { return Some("no run is open".to_owned()) };
        if let Some(why) = run.state.fenced_off() {
            return Some(format!("this copy is fenced off: {why}"));
        }
        if matches!(need, Need::RunLost) {
            return if matches!(run.link, Link::Lost(_)) { None } else { Some("its runner is not lost".to_owned()) };
        }
        if run.state.status.is_over() {
            return Some(format!("the run is over: {}", run.state.status.word()));
        }
        match &run.link {
            Link::Connected => {}
            Link::Connecting => return Some("still connecting to the runner".to_owned()),
            Link::Lost(_) => return Some("the runner is lost; u brings it back".to_owned()),
            Link::Elsewhere(_) => return Some("another machine drives it; t takes it over".to_owned()),
            Link::Ended => return Some("the runner has left".to_owned()),
        }
        let operated = run.state.operator.name == self.view.actor.name || run.state.started_at.is_none();
        let approval = run.state.question.as_ref().is_some_and(|q| matches!(q.kind, QuestionKind::Approval { .. }));
        if !operated && need != Need::RunAlive && !(need == Need::Question && approval) {
            return Some(format!("{} operates this run; H takes it or relieves them", run.state.operator));
        }
        match need {
            Need::Question if run.state.question.is_none() => Some("no question is open".to_owned()),
            Need::Provisional if !run.state.is_provisional() => Some("the run is not at a commit point".to_owned()),
            Need::Provisional
                if run
                    .state
                    .plan
                    .steps
                    .iter()
                    .all(|step| step.commit.as_ref().is_none_or(|commit| commit.another.is_none())) =>
            {
                Some("its runbook declares no other point".to_owned())
            }
            Need::Startable if !matches!(run.state.status, RunStatus::Ready | RunStatus::Paused { .. }) => {
                Some(format!("the run is {}", run.state.status.word()))
            }
            _ => None,
        }
    }
}
