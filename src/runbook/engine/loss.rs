//! What a choice would lose, as far as the run knows it: part of its phrase, its question and its approval.

use super::advance::At;
use crate::model::task::{Effect, TaskOutcome, Values};
use crate::model::text::escaped;
use crate::model::time::{Timestamp, short_duration};
use crate::runbook::measure::recovery_point;
use crate::runbook::plan::PlannedAction;
use crate::runbook::state::{LossSeen, QuestionKind, StepState};

/// Longest text that is taken from a task's output, in characters.
const MAX_TEXT: usize = 240;

/// What the step that the runbook names has said.
struct Told {
    /// To be typed; empty where nothing is lost.
    phrase: String,
    text: String,
    known_by: String,
    /// When it was seen; `None` where nobody has seen it.
    at: Option<Timestamp>,
}

impl At<'_> {
    /// What is lost by the choice that this question asks for: as an earlier step has said, or else, where a backup
    /// takes the place of what is there, all that is newer than the backup.
    pub fn loss(&self, kind: &QuestionKind) -> Option<LossSeen> {
        use QuestionKind::{Answer, Approval, Attest, Key, Phrase, Proof};
        if !matches!(kind, Answer { .. } | Approval { .. } | Attest { .. } | Key | Phrase { .. } | Proof { .. }) {
            return None;
        }
        let told = self.told_loss().map(|told| {
            let at = told.at.unwrap_or(self.now.at);
            LossSeen { text: told.text, known_by: told.known_by, at }
        });
        told.or_else(|| self.older())
    }

    /// The part of a phrase that names the loss.
    pub fn loss_to_type(&self) -> String {
        self.told_loss().map(|told| told.phrase).unwrap_or_default()
    }

    /// The loss as others approve it: with the instant of its estimate, which does not change.
    pub fn loss_to_approve(&self, stated: String) -> String {
        let Some(told) = self.told_loss() else { return stated };
        let at = told.at.map(|at| format!(", as seen at {}", at.format("%H:%M:%S UTC"))).unwrap_or_default();
        format!("{stated}; it loses {}{at}", told.text)
    }

    /// `None` where the runbook names no step that says it.
    fn told_loss(&self) -> Option<Told> {
        let record = self.state.step(self.planned.loss_from.as_ref()?)?;
        let told = match &record.outcome {
            Some(TaskOutcome::Done { output }) if record.state == StepState::Done => told(output),
            _ => None,
        };
        Some(told.unwrap_or_else(|| Told {
            phrase: "lose an unknown amount".to_owned(),
            text: "an unknown amount".to_owned(),
            known_by: format!("nothing: its estimate is {}", record.state),
            at: None,
        }))
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

fn told(output: &Values) -> Option<Told> {
    let text = |name: &str| {
        let text: String = output.get(name)?.as_str()?.chars().take(MAX_TEXT).collect();
        Some(escaped(&text).into_owned())
    };
    Some(Told {
        phrase: text("phrase")?,
        text: text("estimate")?,
        known_by: text("counted")?,
        at: Some(text("read_at")?.parse().ok()?),
    })
}
