//! One subcommand per file: its arguments and what it prints.

pub mod approve;
pub mod approver;
pub mod attach;
mod bundle;
pub mod catalog;
pub mod checklist;
pub mod clean;
pub mod completions;
pub mod config;
pub mod console;
pub mod demo;
pub mod doctor;
pub mod health;
pub mod journal;
pub mod lesson;
pub mod man;
pub mod metrics;
pub mod plan;
pub mod report;
pub mod resume;
pub mod run;
pub mod runner;
pub mod runs;
pub mod show;
pub mod verify;
pub mod watch;
pub mod window;
