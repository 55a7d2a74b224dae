//! The walk-through: choose a backup, fill in parameters, look at the plan, start it.

mod form;
mod options;
mod preview;

pub use form::Form;
