//! What the server says of its archiving: the log that a base backup is rolled forward with.

use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::input::Stop;
use crate::tasks::pg::connect::Session;
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Archiver {
    /// `off`, `on` or `always`.
    pub mode: String,
    /// Whether a command or a library is set. What the command is, may be a secret and is not read.
    pub has_command: bool,
    pub archived: u64,
    pub last: Option<String>,
    pub failed: u64,
    pub last_failed: Option<String>,
    /// The last attempt was a failure.
    pub failing: bool,
    /// RFC 3339, of the last success and of the last failure.
    pub at: Option<String>,
    pub failed_at: Option<String>,
}

const SQL: &str = "SELECT jsonb_build_object('mode', current_setting('archive_mode'), \
    'has_command', current_setting('archive_command') NOT IN ('', '(disabled)') OR coalesce(current_setting('archive_library', true), '') <> '', \
    'archived', archived_count, 'last', last_archived_wal, 'failed', failed_count, 'last_failed', last_failed_wal, \
    'failing', last_failed_time IS NOT NULL AND last_failed_time > coalesce(last_archived_time, '-infinity'), \
    'at', last_archived_time, 'failed_at', last_failed_time) FROM pg_stat_archiver";

/// Attempts in a row at one segment, before the server waits for a minute.
const TRIES: u64 = 3;

impl Archiver {
    pub async fn of(session: &Session) -> Result<Self, Stop> {
        let row = session.row("reading what the server says of its archiving", SQL, &[]).await?;
        serde_json::from_value(row.get(0)).map_err(|error| {
            Failure::new(format!("what the server says of its archiving is not understood: {error}")).into()
        })
    }

    /// What speaks against a log that arrives in the archive.
    pub fn trouble(&self) -> Option<String> {
        let text = |name: &Option<String>| escaped(name.as_deref().unwrap_or("nothing")).into_owned();
        if self.mode == "off" {
            return Some("`archive_mode` is off: no log leaves the server".to_owned());
        }
        if !self.has_command {
            return Some(
                "neither `archive_command` nor `archive_library` is set: the log piles up on the server".to_owned(),
            );
        }
        self.failing.then(|| {
            format!(
                "archiving {} failed at {}, {} times in all; the last success was {} at {}",
                text(&self.last_failed),
                text(&self.failed_at),
                self.failed,
                text(&self.last),
                text(&self.at),
            )
        })
    }

    /// Whether it has tried as often since `before` as a server does in a row, and never with success.
    pub fn gave_up(&self, before: &Self) -> bool {
        self.mode == "off" || (self.archived == before.archived && self.failed >= before.failed + TRIES)
    }

    /// One line for people.
    pub fn title(&self) -> String {
        match (self.trouble(), &self.last) {
            (Some(trouble), _) => trouble,
            (None, Some(last)) => format!("archives its log, last {}", escaped(last)),
            (None, None) => "archives its log, nothing yet".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archiver(mode: &str, has_command: bool, failing: bool) -> Archiver {
        Archiver {
            mode: mode.to_owned(),
            has_command,
            archived: 3,
            last: Some("000000010000000000000003".to_owned()),
            failed: u64::from(failing),
            last_failed: failing.then(|| "000000010000000000000004".to_owned()),
            failing,
            at: None,
            failed_at: None,
        }
    }

    #[test]
    fn only_an_archiver_whose_last_attempt_succeeded_is_without_trouble() {
        assert_eq!(archiver("on", true, false).trouble(), None);
        assert!(archiver("off", true, false).trouble().unwrap().contains("archive_mode"));
        assert!(archiver("on", false, false).trouble().unwrap().contains("archive_command"));
        assert!(archiver("always", true, true).trouble().unwrap().contains("000000010000000000000004 failed"));
    }
}
