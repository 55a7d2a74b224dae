//! The session's real loop over memory stores, watched through the view as a frontend does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod arming;
mod estate;
mod runs;
mod scans;
