//! Base backups of a whole cluster, made by PostgreSQL's own program and read back before anything believes in them.

pub mod archiver;
pub mod backup;
pub mod look;
mod whole;
