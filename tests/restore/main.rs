//! The restores on real parts: a private PostgreSQL cluster, real programs, real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod bench;
mod database;
mod folders;
#[path = "../support/postgres.rs"]
mod postgres;
mod sessions;
