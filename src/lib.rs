//! Relight: the console for the night when systems are dark.
//!
//! The crate is one binary built from layers. Each folder may import only what stands above it in
//! this list; `tests/architecture.rs` holds that.
//!
//! | folder | job |
//! |---|---|
//! | [`model`] | domain words: estate, asset, backup, proof, plan value types; no I/O, no async |
//! | [`located`] | TOML read with places: every value knows its line, every problem is collected |
//! | [`kept`] | files of lines that are only appended to, torn or not |
//! | [`event`] | facts that happened in a run, and their versioned encoding |
//! | [`stores`] | bytes by name: local, memory, S3; wrappers; one contract suite |
//! | [`catalog`] | objects folded into backups, log ranges, chains and recovery windows |
//! | [`proof`] | streaming readers that prove a backup, and the ledger of what was proven |
//! | [`health`] | catalog + objectives + now → findings; pure, one rule per file |
//! | [`retention`] | catalog + policy + now → what is kept and what may go, with reasons; pure |
//! | [`checklist`] | checks that come back: measured from health and proofs, or answered by people |
//! | [`runbook`] | definition, plan, state machine; pure: input and time in, events and orders out |
//! | [`journal`] | append, fsync, hash chain, replay |
//! | [`tasks`] | task modules: the only place that works on the world |
//! | [`runner`] | one process per run: engine, tasks, journal, control socket |
//! | [`session`] | the console's one loop, and the read-only view that both frontends show |
//! | [`cli`], [`tui`] | two frontends over the same session |
//! | [`config`] | file, environment, flags, themes, keys |
//! | [`demo`] | the embedded sandbox estate |
//!
//! Facts flow store → scanner → catalog → health → view → screens. Acts flow key → intent → engine
//! → journal → task → event → journal → view → screens: an effect that touches the world starts only
//! after its intent is on disk.
#![forbid(unsafe_code)]

pub mod catalog;
pub mod checklist;
pub mod cli;
pub mod config;
pub mod demo;
pub mod event;
pub mod health;
pub mod journal;
pub mod kept;
pub mod located;
pub mod model;
pub mod proof;
pub mod report;
pub mod retention;
pub mod runbook;
pub mod runner;
pub mod session;
pub mod stores;
pub mod tasks;
pub mod tui;
pub mod wiring;
