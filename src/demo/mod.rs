//! The embedded sandbox estate: real, byte-correct backups with real problems planted in them, servers on
//! loopback, and a configuration file that joins them.

pub mod assets;
mod build;
pub mod cluster;
mod folder;
pub mod forge;
pub mod ground;
pub mod programs;
mod prove;
mod reopen;
pub mod s3_server;
mod sandbox;
mod seal;
pub mod seed;
mod settings;

pub use build::{DemoError, Wishes};
pub use sandbox::{Sandbox, Say};
