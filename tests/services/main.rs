//! Services under a real systemd: seen, stopped, started, fenced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod units;

#[path = "../support/systemd.rs"]
mod systemd;
