//! Objects folded into backups, log ranges, chains and recovery windows.

pub mod snapshot;

pub use snapshot::{Catalog, RecoveryWindow, ScanStatus, StoreScan, Unrecognised};
