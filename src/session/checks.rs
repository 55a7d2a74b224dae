//! Answers of people to items of checklists, as the session sees them.

use super::news::News;
use super::state::State;
use crate::checklist::{Log, Note, Notes, Outcome};
use crate::health::Severity;
use std::sync::Arc;

impl State {
    /// Keeps an answer, beside the loop, and reads all of them anew.
    pub fn answer_item(&self, checklist: String, item: String, outcome: Outcome, text: String) {
        let (folder, news) = (self.parts.state_dir.clone(), self.news.clone());
        let note = Note { checklist, item, at: self.now(), by: self.parts.actor.clone(), outcome, text };
        tokio::task::spawn_blocking(move || {
            let log = Log::in_state(&folder);
            let kept = log.append(&note).map_err(|error| error.to_string());
            // The loop is gone only when the program ends.
            let _ = news.blocking_send(News::Answers {
                trouble: kept.err(),
                answers: log.read().map_err(|error| error.to_string()),
            });
        });
    }

    pub fn answers_read(&mut self, answers: Result<Notes, String>, trouble: Option<&str>) {
        if let Some(why) = trouble {
            self.tell(
                Severity::Critical,
                &format!("Your answer was not kept: {why}."),
                "Check the state folder's permissions and free space, then answer again.",
            );
        }
        match answers {
            Ok(answers) => {
                for line in &answers.unreadable {
                    let what = format!("Line {line} of the answers to checklists cannot be read.");
                    self.stands(&what, Severity::Warning, &what, "Move the line out of the file by hand.");
                }
                self.notices.cleared("reading the answers");
                self.view.answers = Arc::new(answers.notes);
                self.touch();
            }
            Err(why) => self.stands(
                "reading the answers",
                Severity::Unknown,
                &format!("Nobody can say what was answered: {why}."),
                "Check the state folder's permissions.",
            ),
        }
    }
}
