//! The catalog against stores in memory that hold trees in the exact layout of real systems.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod bytes;
mod estate;

mod hostile;
mod keep;
mod logs;
mod merge;
mod names;
mod patterns;
mod sidecars;
mod trouble;
