//! Commands on hosts, and the change of roles between two real PostgreSQL servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod bench;
mod client;
mod dns;
mod drill;
mod home;
mod hosts;
mod killed;
mod named;
mod net;
mod pair;
mod pooler;
mod roles;
mod sshd;
mod tls;
mod unit;
mod vantage;
mod watch;

#[path = "../support/context.rs"]
mod context;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "../e2e/line.rs"]
mod line;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/runners.rs"]
mod runners;
#[path = "../support/systemd.rs"]
mod systemd;
#[path = "../support/turns.rs"]
mod turns;

const RELIGHT: &str = env!("CARGO_BIN_EXE_relight");
