//! One subcommand per file: its arguments and what it prints.

pub mod catalog;
pub mod completions;
pub mod config;
pub mod console;
pub mod demo;
pub mod doctor;
pub mod health;
pub mod man;
pub mod metrics;
pub mod runner;
pub mod show;
pub mod verify;
pub mod window;
