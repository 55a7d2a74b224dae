//! One scan of the whole estate, judged, for commands that print and end.

use super::setup::Setup;
use crate::model::id::StoreId;
use crate::session;

pub use crate::session::Scanned;

/// Scans every store. Stores that could not be seen are told in the catalog.
pub async fn scan_once(setup: &Setup, progress: &(dyn Fn(&StoreId, u64) + Sync)) -> Scanned {
    session::scan_once(&setup.parts(), progress).await
}
