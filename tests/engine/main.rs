//! The state machine of runs, its plans and its journal, without a clock and without a world.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

mod approvals;
mod commits;
mod debts;
mod full_disk;
mod groups;
mod handover;
mod held_up;
mod journal;
mod lease;
mod limits;
mod loading;
mod probes;
mod promises;
mod proofs;
mod properties;
mod rig;
mod scenarios;
mod standing_still;
mod stops;
