//! Point-in-time recovery of a real cluster from real base backups and its archived log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod instants;
mod lab;
mod made;
mod night;
mod outages;
mod refusals;

#[path = "../support/disks.rs"]
mod disks;
#[path = "../failover/home.rs"]
mod home;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../e2e/line.rs"]
mod line;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/runners.rs"]
mod runners;
#[path = "../support/s3.rs"]
mod s3;
#[path = "../support/turns.rs"]
mod turns;

const RELIGHT: &str = env!("CARGO_BIN_EXE_relight");
