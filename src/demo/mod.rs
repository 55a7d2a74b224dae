//! The embedded sandbox estate: real, byte-correct backups with real problems planted in them, servers on
//! loopback, and a configuration file that joins them.

pub mod assets;
pub mod cluster;
pub mod forge;
pub mod ground;
pub mod programs;
pub mod s3_server;
pub mod seal;
pub mod seed;
pub mod settings;
