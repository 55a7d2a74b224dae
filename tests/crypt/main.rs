//! Encrypted backups through the real binary, with gpg and age: made, proven, restored, refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod closed;
mod lab;
mod made;
mod restored;

#[path = "../estates/home.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod home;
#[path = "../e2e/line.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod line;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/runners.rs"]
mod runners;
#[path = "../support/s3.rs"]
mod s3;

use home::RELIGHT;
