//! One subcommand per file: its arguments and what it prints.

pub mod completions;
pub mod config;
pub mod man;
