//! The embedded sandbox estate: real, byte-correct backups with real problems planted in them.

pub mod s3_server;
