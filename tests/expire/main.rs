//! What retention lets go is removed through the real binary, and nothing else is: not the last proven one, not what
//! was replaced, locked or is needed by now, whatever dies in the middle.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod archived;
mod bucket;
mod folder;
mod lab;

#[path = "../estates/home.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod home;
#[path = "../e2e/line.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod line;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/runners.rs"]
mod runners;
#[path = "../support/s3.rs"]
mod s3;

use home::RELIGHT;
