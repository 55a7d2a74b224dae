//! The program as scripts meet it: its exit codes, its documents, its complaints.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod config;
mod estate;
mod program;
mod reading;
mod runs;
mod verify;
