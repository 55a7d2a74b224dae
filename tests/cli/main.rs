//! The program as scripts meet it: its exit codes, its documents, its complaints.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod approvals;
mod bucket;
#[path = "../catalog/bytes.rs"]
mod bytes;
mod checklist;
mod config;
#[path = "../support/disks.rs"]
mod disks;
mod estate;
mod fetch;
mod layouts;
mod modules;
#[path = "../support/moto.rs"]
mod moto;
mod probes;
mod program;
#[path = "../support/proxy.rs"]
mod proxy;
mod reading;
mod retention;
#[path = "../support/runners.rs"]
mod runners;
mod runs;
#[path = "../support/s3.rs"]
mod s3;
mod tampering;
mod thaw;
mod verify;
