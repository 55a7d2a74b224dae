//! Artefacts in the formats of the tools that usually write them, byte for byte.

pub mod archive;
pub mod base;
pub mod custom;
pub mod plain;
pub mod rdb;
pub mod schema;
pub mod wal;
