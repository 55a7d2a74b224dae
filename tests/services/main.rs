//! Services under a real systemd and a real Docker: seen, stopped, started, fenced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod compose;
mod schedules;
mod units;

#[path = "../support/context.rs"]
mod context;
#[path = "../support/docker.rs"]
mod docker;
#[path = "../failover/home.rs"]
mod home;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../e2e/line.rs"]
mod line;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../support/runners.rs"]
mod runners;
#[path = "../support/systemd.rs"]
mod systemd;

const RELIGHT: &str = env!("CARGO_BIN_EXE_relight");
