//! The headless twin of the console: one file per subcommand, text and JSON.

pub mod args;
pub mod choose;
mod commands;
mod dispatch;
mod doctor;
mod documents;
pub mod output;
pub mod scan;
pub mod table;
pub mod words;

pub use args::{Cli, Command, Globals};
pub use dispatch::main;
pub use output::{Output, Tone};
