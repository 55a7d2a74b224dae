//! What a choice would lose, as far as the run knows it: shown with the question, and kept with it.

use super::advance::At;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::model::time::short_duration;
use crate::runbook::measure::recovery_point;
use crate::runbook::plan::PlannedAction;
use crate::runbook::state::{LossSeen, QuestionKind, StepState};

impl At<'_> {
    /// An estimate that a step made, until something was done that settles it; else, where a backup takes the
    /// place of what is there, all that is newer than the backup.
    pub fn at_stake(&self, kind: &QuestionKind) -> Option<LossSeen> {
        use QuestionKind::{Answer, Approval, Attest, Key, Phrase, Proof};
        if !matches!(kind, Answer { .. } | Approval { .. } | Attest { .. } | Key | Phrase { .. } | Proof { .. }) {
            return None;
        }
        let settled = |at: &At<'_>| at.planned.effect == Effect::Irreversible && at.record.state == StepState::Done;
        let estimate = self.before().rev().take_while(|at| !settled(at)).find_map(|at| match &at.record.outcome {
            Some(TaskOutcome::Done { output }) if at.record.state == StepState::Done => estimated(output),
            _ => None,
        });
        estimate.or_else(|| self.older())
    }

    fn older(&self) -> Option<LossSeen> {
        let acts = matches!(self.planned.action, PlannedAction::Task(_));
        if !acts || !matches!(self.planned.effect, Effect::Fence | Effect::Irreversible) {
            return None;
        }
        let point = recovery_point(&self.state.plan)?;
        let span = short_duration(self.now.at - point);
        Some(LossSeen {
            text: format!("the last {span}: all that is newer than {}", point.format("%Y-%m-%d %H:%M:%S UTC")),
            known_by: "the age of the backup".to_owned(),
            at: self.now.at,
        })
    }
}

/// What a task says that it estimated, with the instant of its look.
fn estimated(output: &Values) -> Option<LossSeen> {
    let text = |name: &str| output.get(name)?.as_str().map(str::to_owned);
    Some(LossSeen {
        text: text("estimate")?,
        known_by: text("counted").unwrap_or_default(),
        at: text("read_at")?.parse().ok()?,
    })
}
