//! Task modules: the only place that works on the world. One module per file, grouped by subject.

pub mod context;
pub mod module;
pub mod source;
pub mod table;

pub use context::{Cancel, Owner, TaskContext, TaskFeed};
pub use module::{InputKind, InputSpec, Module, ModuleSpec, Reality, Table};
pub use source::Source;
