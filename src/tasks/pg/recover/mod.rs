//! Point-in-time recovery: a base backup beside the live data folder, rolled forward to its target, looked at, and
//! exchanged with the live one by rename.

pub mod clear;
pub mod cluster;
pub mod gone;
pub mod recovered;
pub mod repack;
pub mod settings;
pub mod side;
pub mod swap;
pub mod swap_back;
pub mod unpack;
pub mod watch;
