//! Objects folded into backups, log ranges, chains and recovery windows.
//!
//! [`Scan`] lists the stores and streams their names through the configured [`Pattern`]s; what is left
//! is a [`Catalog`], a value that is judged, shown, compared ([`diff`]) and kept on disk ([`cache`]).

mod assemble;
pub mod cache;
mod chain;
mod choose;
pub mod decompress;
pub mod diff;
mod exposed;
mod fold;
mod heads;
mod known;
mod moving;
pub mod pattern;
mod position;
mod proofs;
mod scan;
pub mod sidecars;
mod sighting;
pub mod snapshot;
pub mod sniff;
mod sources;
mod timeline;
pub mod wal;
mod window;

pub use assemble::PLAINTEXT;
pub use choose::{PROVEN, is_moving, is_restorable};
pub use known::pin;
pub use pattern::{Pattern, PatternError};
pub use position::Position;
pub use proofs::is_about;
pub use scan::{Scan, Stores};
pub use snapshot::{Catalog, ChooseError, Hole, RecoveryWindow, ScanStatus, StoreScan, Unrecognised};
