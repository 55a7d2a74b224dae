//! Leaving read-only mode, and coming back to it.

use super::armed::LONGEST;
use super::state::State;
use crate::health::Severity;
use crate::runbook::{Armed, Intent};
use std::time::Duration;

impl State {
    pub fn arm(&mut self, reason: &str, incident: Option<String>, span: Duration) {
        if reason.trim().is_empty() {
            self.tell(Severity::Warning, "Not armed: a reason is needed.", "Say why; it is kept in the journal.");
            return;
        }
        if span.is_zero() || span > LONGEST {
            let what = format!("Not armed: the time must be at most {} hours.", LONGEST.as_secs() / 3600);
            self.tell(Severity::Warning, &what, "Arm for a shorter time; it can be renewed.");
            return;
        }
        let until = self.now() + chrono::Duration::from_std(span).unwrap_or_default();
        let armed = Armed { by: self.parts.actor.clone(), reason: reason.trim().to_owned(), incident, until };
        if let Err(error) = self.armed_file.save(&armed) {
            self.tell(
                Severity::Critical,
                &format!("Armed for this session only: {error}."),
                "Check the state folder's permissions and free space.",
            );
        }
        self.pass_on(Intent::Arm { reason: armed.reason.clone(), incident: armed.incident.clone(), until });
        self.view.armed = Some(armed);
        self.touch();
    }

    pub fn disarm(&mut self) {
        if let Err(error) = self.armed_file.clear() {
            self.tell(
                Severity::Critical,
                &format!("Read-only now, but the armed state is still on disk: {error}."),
                "Remove the file by hand, or the next start is armed again until it runs out.",
            );
        }
        if self.view.armed.take().is_some() {
            self.pass_on(Intent::Disarm);
            self.touch();
        }
    }

    /// Takes up an armed state that an earlier session left.
    pub fn recall_armed(&mut self) {
        match self.armed_file.load(self.now()) {
            Ok(armed) => self.view.armed = armed,
            Err(error) => self.tell(
                Severity::Warning,
                &format!("Read-only: {error}."),
                "Arm again if you need to; that writes the file anew.",
            ),
        }
        self.touch();
    }

    /// Falls back to read-only once the time has run out.
    pub fn check_armed(&mut self) {
        if self.view.armed.as_ref().is_some_and(|armed| armed.until <= self.now()) {
            self.disarm();
            self.tell(Severity::Warning, "The armed time has run out: read-only again.", "Arm again if you need to.");
        }
    }
}
