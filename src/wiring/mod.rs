//! Joins the layers: configuration → concrete stores, clock, state folder, task modules.

mod actor;
mod checklists;
mod clock;
mod identity;
mod parts;
mod runbooks;
mod scan;
mod setup;
mod unopened;

pub use actor::actor;
pub use clock::SystemClock;
pub use identity::{identity, signs_in};
pub use scan::{Scanned, scan_once};
pub use setup::{Setup, setup};
pub use unopened::UnopenedStore;
