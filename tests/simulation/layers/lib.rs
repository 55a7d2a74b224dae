//! The layers of a run, from the console's own sources: all that decides and remembers, and nothing that
//! works on the world. That they compile without the rest shows that they know nothing of it.
#![allow(dead_code, unused_imports, reason = "other layers use it")]

#[path = "../../../src/event/mod.rs"]
pub mod event;
#[path = "../../../src/journal/mod.rs"]
pub mod journal;
#[path = "../../../src/located/mod.rs"]
pub mod located;
#[path = "../../../src/model/mod.rs"]
pub mod model;
#[path = "../../../src/runbook/mod.rs"]
pub mod runbook;

pub mod runner;
pub mod stores;
