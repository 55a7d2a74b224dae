//! The open run, or the list of runs while none is open.

mod list;
mod live;
mod parts;

pub use place::RunPlace;

mod place;
mod steps;
