//! Domain words shared by every layer. No I/O, no async, no clock reads.

pub mod actor;
pub mod amount;
pub mod backup;
pub mod content;
pub mod estate;
pub mod id;
pub mod images;
pub mod key;
pub mod lease;
pub mod objective;
pub mod proof;
pub mod registry;
pub mod secret;
pub mod size;
pub mod task;
pub mod text;
pub mod time;
pub mod wal;
