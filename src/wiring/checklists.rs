//! The checklists that a configuration offers.

use super::setup::Setup;
use crate::checklist::{Checklist, load};

impl Setup {
    /// Built-in checklists and those of the estate's folders; and what could not be read, ready to show.
    pub fn checklists(&self) -> (Vec<Checklist>, Vec<String>) {
        load::all(&self.checklist_dirs)
    }
}
