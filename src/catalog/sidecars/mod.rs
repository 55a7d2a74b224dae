//! Files beside backups that say something about them: one file here per kind. They are read when they
//! are small enough, and believed only where the objects agree; where not, the disagreement is told.

mod backup_label;
mod catalog_csv;
mod checksums;
mod contents;
mod document;
mod info;
mod kind;
mod log;
mod metadata_json;
mod metadata_table;
mod model_manifest;
mod pg_manifest;
mod read;
mod report;
mod targets;
mod told;
mod tree_manifest;

pub(super) use kind::Loose;
pub use kind::SidecarKind;
pub(super) use read::{History, histories, read};
