//! The headless twin of the console: one file per subcommand, text and JSON.

mod args;
pub mod choose;
mod commands;
mod dialogue;
mod dispatch;
mod doctor;
mod documents;
mod elsewhere;
mod joined;
mod log;
mod measured;
pub mod output;
mod planning;
mod run_document;
pub mod scan;
pub mod table;
pub mod words;
mod working;

pub use args::{Cli, Command, Globals};
pub use dispatch::main;
pub use output::{Output, Tone};
