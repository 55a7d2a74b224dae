//! What a drill makes is owed: each thing with the task that removes it and the look that finds it gone.

use super::definition::{Confirm, SkipRule};
use super::plan::{PlannedAction, PlannedStep};
use crate::model::id::StepId;
use crate::model::task::{Effect, TaskSpec};
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Time limits of the steps that a drill ends with.
const REMOVE_LIMIT: Duration = Duration::from_mins(30);
const LOOK_LIMIT: Duration = Duration::from_mins(5);

/// One thing that a step of a drill makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// What it is, in one line.
    pub title: String,
    pub remove: TaskSpec,
    /// Ends well only where the thing is gone.
    pub probe: TaskSpec,
}

/// Something that a drill made, or was about to make, and that was not seen gone before `gone_at`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Debt {
    /// The step that made it.
    pub step: StepId,
    pub title: String,
    pub since: Timestamp,
    pub gone_at: Option<Timestamp>,
}

impl Debt {
    pub const fn is_due(&self) -> bool {
        self.gone_at.is_none()
    }
}

/// Adds the steps that clear what the steps so far make, the last made first. No runbook can leave them out.
pub(super) fn clean_up(steps: &mut Vec<PlannedStep>, touches: &mut Vec<String>) {
    let made: Vec<(StepId, Made)> =
        steps.iter().rev().filter_map(|step| Some((step.id.clone(), step.makes.clone()?))).collect();
    for (maker, made) in made {
        touches.push(format!("removes {} at the end, and looks that it is gone", made.title));
        steps.push(PlannedStep {
            help: "What the drill made is removed, whatever name it has by now, and nothing else is.".to_owned(),
            ..step(format!("clean-up-{maker}"), format!("Remove {}", made.title), made.remove, Effect::Reversible)
        });
        steps.push(PlannedStep {
            help: "The drill owes this until a look finds it gone.".to_owned(),
            clears: Some(maker.clone()),
            ..step(format!("gone-{maker}"), format!("Look that {} is gone", made.title), made.probe, Effect::Observe)
        });
    }
}

fn step(id: String, title: String, task: TaskSpec, effect: Effect) -> PlannedStep {
    PlannedStep {
        id: StepId::from(id),
        group: None,
        title,
        help: String::new(),
        action: PlannedAction::Task(task),
        effect,
        confirm: Confirm::None,
        phrase: None,
        target: None,
        identity: None,
        timeout: if effect == Effect::Observe { LOOK_LIMIT } else { REMOVE_LIMIT },
        retry: 0,
        skip: SkipRule::WithReason,
        undo: None,
        idempotent: true,
        proof_out: None,
        proof_in: Vec::new(),
        takes_proofs: false,
        declare: None,
        approve: None,
        post: None,
        loss_from: None,
        stop_if: None,
        limit: None,
        commit: None,
        omitted: None,
        makes: None,
        clears: None,
        estimate: None,
    }
}
