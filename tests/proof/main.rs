//! Backups as real programs write them, proven, cut off and bent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod artefacts;
mod damage;
mod dumps;
mod estate;
mod modules;
#[path = "../support/postgres.rs"]
mod postgres;
mod trees;
