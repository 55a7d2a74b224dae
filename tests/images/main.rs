//! Container images through the real binary and a private Docker engine: saved, proven, damaged, restored, refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod broken;
mod lab;
mod outages;
mod restored;

#[path = "../support/disks.rs"]
mod disks;
#[path = "../support/docker.rs"]
mod docker;
#[path = "../estates/home.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod home;
#[path = "../e2e/line.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod line;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/runners.rs"]
mod runners;
#[path = "../support/s3.rs"]
mod s3;

use home::RELIGHT;
