//! What a step loses, as an earlier step has said: part of its phrase, its question, its approval.

use super::advance::At;
use crate::model::task::TaskOutcome;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::runbook::state::StepState;

/// Longest text that is taken from a task's output, in characters.
const MAX_TEXT: usize = 240;

pub struct Loss {
    /// To be typed; empty where nothing is lost.
    pub phrase: String,
    /// The same in a sentence.
    pub words: String,
    /// When that was seen.
    pub at: Option<Timestamp>,
}

impl At<'_> {
    /// `None` where the runbook names no step that says it.
    pub fn loss(&self) -> Option<Loss> {
        let from = self.planned.loss_from.as_ref()?;
        let record = self.state.step(from)?;
        let told = match &record.outcome {
            Some(TaskOutcome::Done { output }) if record.state == StepState::Done => {
                let text = |name: &str| {
                    let text: String = output.get(name)?.as_str()?.chars().take(MAX_TEXT).collect();
                    Some(escaped(&text).into_owned())
                };
                text("phrase").zip(text("estimate"))
            }
            _ => None,
        };
        let at = record.ended_at;
        Some(match told {
            Some((phrase, words)) => Loss { phrase, words, at },
            None => Loss {
                phrase: "lose an unknown amount".to_owned(),
                words: format!("an unknown amount: the estimate is {}", record.state),
                at: None,
            },
        })
    }

    /// The loss as others approve it: with the instant of its estimate, which does not change.
    pub fn loss_to_approve(&self, stated: String) -> String {
        match self.loss() {
            None => stated,
            Some(loss) => {
                let at = loss.at.map(|at| format!(", as seen at {}", at.format("%H:%M:%S UTC"))).unwrap_or_default();
                format!("{stated}; it loses {}{at}", loss.words)
            }
        }
    }
}

/// One sentence for the question of a step that loses something.
pub fn sentence(at: At<'_>) -> String {
    let Some(loss) = at.loss() else { return String::new() };
    let age = loss.at.map(|seen| {
        let age = (at.now.at - seen).num_seconds().max(0);
        format!(", as seen at {}, {age} s ago", seen.format("%H:%M:%S UTC"))
    });
    format!(" It loses {}{}.", loss.words, age.unwrap_or_default())
}
