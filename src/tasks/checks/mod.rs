//! Looks at the world that belong to no one subject: backups and their proof, space, an application's
//! health.

pub mod backup_resolve;
pub mod backup_verify;
pub mod choice;
mod contents;
pub mod disk_space;
pub mod http_health;
pub(super) mod reading;
pub(super) mod subject;
mod verdict;
pub mod verify_tree;
