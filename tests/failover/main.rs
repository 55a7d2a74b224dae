//! Commands on hosts, and the change of roles between two real PostgreSQL servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod hosts;
mod sshd;
