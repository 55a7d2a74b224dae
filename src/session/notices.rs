//! What the operator must be told: nothing fails silently, nothing is said twice.

use super::view::Notice;
use crate::health::Severity;
use crate::model::text::escaped;
use crate::model::time::Timestamp;

/// Unread notices that are kept; the oldest of the least severe goes first.
const KEPT: usize = 100;

#[derive(Debug, Default)]
pub struct Notices {
    next: u64,
    unread: Vec<Notice>,
    /// Conditions that stand, by name, with what was said about them: saying the same again is silent
    /// until the condition has cleared, even after the notice was dismissed.
    standing: Vec<(String, String)>,
}

impl Notices {
    /// Adds a notice. One with the same text that is still unread takes the new time instead.
    pub fn tell(&mut self, at: Timestamp, severity: Severity, what: &str, next: &str) {
        let (what, next) = (escaped(what).into_owned(), escaped(next).into_owned());
        if let Some(known) = self.unread.iter_mut().find(|n| n.what == what && n.next == next) {
            known.at = at;
            known.severity = severity;
            return;
        }
        if self.unread.len() == KEPT
            && let Some(goes) = (0..KEPT).min_by_key(|&i| (self.unread[i].severity, i))
        {
            self.unread.remove(goes);
        }
        self.next += 1;
        self.unread.push(Notice { id: self.next, at, severity, what, next });
    }

    /// Tells of a condition once, until it clears or what is to be said changes.
    pub fn stands(&mut self, condition: &str, at: Timestamp, severity: Severity, what: &str, next: &str) {
        match self.standing.iter_mut().find(|(name, _)| name == condition) {
            Some((_, said)) if said == what => return,
            Some((_, said)) => what.clone_into(said),
            None => self.standing.push((condition.to_owned(), what.to_owned())),
        }
        self.tell(at, severity, what, next);
    }

    /// The condition is over; the next time it is told again.
    pub fn cleared(&mut self, condition: &str) {
        self.standing.retain(|(name, _)| name != condition);
    }

    pub fn dismiss(&mut self, id: u64) {
        self.unread.retain(|notice| notice.id != id);
    }

    /// Oldest first.
    pub fn unread(&self) -> &[Notice] {
        &self.unread
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn the_same_is_not_said_twice_and_a_cleared_condition_may_return() {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let mut notices = Notices::default();
        notices.tell(at(1), Severity::Warning, "a\x1b[2J", "");
        notices.tell(at(2), Severity::Warning, "a\x1b[2J", "");
        assert_eq!(notices.unread().len(), 1);
        assert_eq!(notices.unread()[0].what, "a\\x1b[2J");
        notices.stands("lost s3", at(3), Severity::Unknown, "lost", "");
        notices.dismiss(2);
        notices.stands("lost s3", at(4), Severity::Unknown, "lost", "");
        assert_eq!(notices.unread().len(), 1);
        notices.cleared("lost s3");
        notices.stands("lost s3", at(5), Severity::Unknown, "lost", "");
        assert_eq!(notices.unread().len(), 2);
    }
}
