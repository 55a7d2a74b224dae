//! The state machine of runs, its plans and its journal, without a clock and without a world.

mod journal;
mod loading;
mod properties;
mod rig;
mod scenarios;
