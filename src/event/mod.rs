//! Facts that happened in a run, and their versioned encoding.

pub mod kind;
pub mod wire;

pub use kind::{Event, EventKind, Purpose};
