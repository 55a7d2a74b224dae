//! Single tables brought back into a live database: compared by their keys, merged in one transaction, and the
//! merge taken back.

pub mod diff;
pub mod merge;
mod stage;
mod table;
pub mod unmerge;
