//! The one table of all task modules.

use super::module::Table;

/// Every module that a runbook may use.
pub fn all() -> Table {
    Table::default()
}
