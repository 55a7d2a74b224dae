//! The runbooks that a configuration offers.

use super::setup::Setup;
use crate::runbook::{Runbook, load};
use crate::runner::module_rows;
use crate::tasks;

impl Setup {
    /// Built-in runbooks and those of the estate's folders; and what could not be read, ready to show.
    pub fn runbooks(&self) -> (Vec<Runbook>, Vec<String>) {
        load::all(&self.estate.runbook_dirs, &module_rows(&tasks::table::all()))
    }
}
