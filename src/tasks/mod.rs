//! Task modules: the only place that works on the world. One module per file, grouped by subject.

pub mod artefact;
pub mod backup;
pub mod checks;
pub mod context;
pub mod crypt;
pub mod decode;
pub mod files;
pub mod host;
pub mod input;
pub mod module;
pub mod patience;
pub mod pg;
pub mod probes;
pub mod process;
pub mod production;
pub mod progress;
pub mod reach;
pub mod redis;
pub mod restored;
pub mod schedules;
pub mod services;
pub mod shelf;
pub mod source;
pub mod staging;
pub mod supervisor;
pub mod table;
pub mod traffic;
pub mod vantage;
pub mod wal;
pub mod watching;

pub use context::{Cancel, Owner, TaskContext, TaskFeed};
pub use module::{InputKind, InputSpec, Module, ModuleSpec, Reality, Table};
pub use reach::{Makes, Reach};
pub use shelf::Shelf;
pub use source::Source;
pub use supervisor::{Supervisor, TaskRecord, TaskState};
