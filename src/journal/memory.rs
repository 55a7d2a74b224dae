//! A journal that lives in memory, for tests; it can be told to fail.

use super::{Journal, JournalError};
use crate::event::Event;

#[derive(Debug, Default)]
pub struct MemoryJournal {
    pub events: Vec<Event>,
    /// From this entry on, appending fails as a full disk does.
    pub full_from: Option<u64>,
}

impl Journal for MemoryJournal {
    fn append(&mut self, event: &Event) -> Result<(), JournalError> {
        let after = self.events.len() as u64;
        if event.seq != after + 1 {
            return Err(JournalError::Order { after, found: event.seq });
        }
        if self.full_from.is_some_and(|from| event.seq >= from) {
            return Err(JournalError::Full { path: "memory".into() });
        }
        self.events.push(event.clone());
        Ok(())
    }
}
