//! What earlier runs of the same runbook for the same asset took, read from their journals.

use super::runs;
use crate::journal;
use crate::runbook::estimate::{Taken, backup_bytes};
use crate::runbook::measure::measure;
use crate::runbook::{Mode, Plan, StepState};
use std::path::Path;

/// Most runs that are read, the newest first.
const MOST: usize = 30;

/// Every step that was done in an earlier run like this one. A journal that cannot be read teaches nothing.
pub fn of(state_dir: &Path, plan: &Plan) -> Vec<Taken> {
    // A dry run does only a part of its steps' work.
    let like = |other: &Plan| {
        other.runbook == plan.runbook
            && other.params.get("asset") == plan.params.get("asset")
            && (other.mode == Mode::DryRun) == (plan.mode == Mode::DryRun)
    };
    let entries = runs::list(state_dir).unwrap_or_default();
    let alike = entries.iter().filter_map(|entry| {
        let state = entry.state.as_ref().ok()?;
        (state.status.is_over() && like(&state.plan)).then_some((&entry.folder, state))
    });
    let mut taken = Vec::new();
    for (folder, state) in alike.take(MOST) {
        let Some(measured) = journal::read(&folder.path).ok().and_then(|events| measure(&events).ok()) else {
            continue;
        };
        let bytes = backup_bytes(&state.plan);
        let done = measured.phases.into_iter().filter(|phase| phase.state == StepState::Done);
        taken.extend(done.filter(|phase| !phase.machine.is_zero()).map(|phase| Taken {
            step: phase.step,
            machine: phase.machine,
            bytes,
        }));
    }
    taken
}
