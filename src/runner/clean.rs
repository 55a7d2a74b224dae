//! Clearing what a drill left, after its run is over: removed, looked for, struck out in its journal.

use super::error::RunnerError;
use super::folder::RunFolder;
use super::ground::Ground;
use super::lock;
use crate::event::{Event, EventKind};
use crate::journal::{FileJournal, Journal as _, Opened};
use crate::model::task::{Failure, TaskOutcome, TaskSpec};
use crate::runbook::engine::replay;
use crate::runbook::{Made, RunState};
use crate::tasks::{Cancel, Shelf, TaskFeed, production};

/// One debt, and why it still stands.
#[derive(Debug)]
pub struct Cleared {
    pub title: String,
    pub left: Option<Failure>,
}

/// Clears every debt of the run that is due. The run must be over: before that its own last steps do it.
pub async fn clean(folder: &RunFolder, ground: &Ground) -> Result<Vec<Cleared>, RunnerError> {
    let _lock = lock::take(folder)?;
    let Opened { mut journal, events, .. } = FileJournal::open(&folder.path)?;
    let mut state = replay(&events)?;
    if !state.status.is_over() {
        return Err(RunnerError::NotOver { run: folder.run.to_string() });
    }
    let due: Vec<_> = state.debts.iter().filter(|debt| debt.is_due()).cloned().collect();
    let mut cleared = Vec::new();
    for debt in due {
        let Some(made) = state.plan.step(&debt.step).and_then(|planned| planned.makes.clone()) else { continue };
        let mut tell = |kind| tell(&mut state, &mut journal, ground, kind);
        tell(EventKind::NoteAdded { text: format!("begins to clear {}", debt.title) })?;
        let left = gone(folder, ground, &made).await.err();
        if left.is_none() {
            tell(EventKind::DebtSettled { step: debt.step })?;
        }
        cleared.push(Cleared { title: debt.title, left });
    }
    Ok(cleared)
}

fn tell(state: &mut RunState, journal: &mut FileJournal, ground: &Ground, kind: EventKind) -> Result<(), RunnerError> {
    let (run, at, actor) = (state.id.clone(), ground.clock.now(), ground.actor.clone());
    let event = Event { seq: state.seq + 1, run, at, mono_ms: 0, actor, kind };
    journal.append(&event)?;
    state.apply(&event);
    Ok(())
}

async fn gone(folder: &RunFolder, ground: &Ground, made: &Made) -> Result<(), Failure> {
    // Only the look decides: what someone else removed in the meantime is gone too.
    let removed = act(folder, ground, &made.remove).await;
    act(folder, ground, &made.probe).await.map_err(|left| match removed {
        Ok(()) => left,
        Err(failure) => failure.evidence(left.what),
    })
}

async fn act(folder: &RunFolder, ground: &Ground, task: &TaskSpec) -> Result<(), Failure> {
    let module = ground.modules.get(&task.module);
    let module = module.ok_or_else(|| Failure::new(format!("there is no task module `{}`", task.module)))?;
    let cx = ground.to_run(folder, "clean", Shelf::default(), (TaskFeed::silent(), Cancel::default()));
    production::refuse(&cx, &**module, &task.input).await?;
    match module.run(&cx, &task.input).await {
        TaskOutcome::Done { .. } => Ok(()),
        TaskOutcome::Failed { failure } | TaskOutcome::Unknown { failure } => Err(failure),
        TaskOutcome::Cancelled { .. } => Err(Failure::new("it was cancelled")),
    }
}
