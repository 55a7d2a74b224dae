//! Redis from end to end: real servers that keep a log of changes, snapshots made by Redis's own tools, and the
//! real binary between them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod backed_up;
mod cache;
mod drilled;
mod killed;
mod outages;
mod refused;
mod restored;

#[path = "../support/disks.rs"]
mod disks;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../e2e/home.rs"]
mod home;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../e2e/line.rs"]
mod line;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../e2e/operator.rs"]
mod operator;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/runners.rs"]
mod runners;
#[path = "../support/s3.rs"]
mod s3;
#[path = "../support/workers.rs"]
mod workers;

use home::RELIGHT;
