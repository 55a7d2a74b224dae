//! Checks that come back every day, week, month or quarter: what can be measured is measured from the
//! catalog's health and the proofs, the rest is said by a person, with a note that is kept.

mod definition;
mod judge;
pub mod load;
mod notes;

pub use definition::{Check, Checklist, Item, Period};
pub use judge::{Facts, Judged, JudgedItem, judge};
pub use notes::{Log, LogError, Note, Notes, Outcome};
