//! The demo: artefacts that the real tools accept, an estate with its planted problems, and nothing left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod cli;
mod console;
mod forge;
mod kept;
mod sandbox;

#[path = "../support/pty.rs"]
mod pty;
