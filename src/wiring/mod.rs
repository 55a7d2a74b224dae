//! Joins the layers: configuration → concrete stores, clock, state folder, task modules.

mod actor;
mod checklists;
mod clock;
mod identity;
mod parts;
mod runbooks;
mod setup;
mod shared;
mod unopened;

pub use actor::actor;
pub use clock::SystemClock;
pub use identity::{identity, signs_in};
pub use setup::{Setup, setup};
pub use unopened::UnopenedStore;
