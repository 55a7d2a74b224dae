//! The headless twin of the console: one file per subcommand, text and JSON.

pub mod args;
mod commands;
mod dispatch;
pub mod output;
pub mod table;

pub use args::{Cli, Command, Globals};
pub use dispatch::main;
pub use output::{Output, Tone};
