//! The catalog as an immutable value: what a scan found, ready to be judged, shown and kept on disk.

use crate::model::backup::Backup;
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::time::Timestamp;
use crate::model::wal::LogTimeline;
use crate::stores::StoreErrorKind;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// Newest first; equal instants by id.
    pub backups: Vec<Backup>,
    pub logs: Vec<LogTimeline>,
    /// One row per configured store, in configured order.
    pub stores: Vec<StoreScan>,
    pub unrecognised: Unrecognised,
    pub windows: Vec<RecoveryWindow>,
    /// When the scan that made this catalog ended; `None` before the first.
    pub scanned_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScanStatus {
    Ok,
    /// Nothing of it could be listed: what is shown of it is older than this scan.
    Unreachable,
    Denied,
    /// The listing broke off: what is shown is true but may not be all.
    Partial,
    /// Not scanned yet in this session.
    Pending,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreScan {
    pub id: StoreId,
    pub location: String,
    pub status: ScanStatus,
    pub objects: u64,
    pub bytes: u64,
    /// End of the last scan that reached this store.
    pub scanned_at: Option<Timestamp>,
    pub error: Option<String>,
    pub error_kind: Option<StoreErrorKind>,
    pub hint: Option<String>,
    /// This store's part of [`Catalog::unrecognised`].
    #[serde(default)]
    pub unrecognised: Unrecognised,
}

/// What no adapter recognised: counted, and sampled so that someone can look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unrecognised {
    pub count: u64,
    pub bytes: u64,
    /// Escaped `store: name` lines, at most [`Unrecognised::SAMPLES`], with the reason where there is one.
    pub samples: Vec<String>,
}

impl Unrecognised {
    pub const SAMPLES: usize = 20;
}

/// The instants to which an asset can be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryWindow {
    pub asset: AssetId,
    pub earliest: Option<Timestamp>,
    pub latest: Option<Timestamp>,
    /// Single instants (a dump restores only to its own), ascending.
    pub points: Vec<Timestamp>,
    /// Stretches in which every instant can be reached (physical base and unbroken log).
    pub spans: Vec<(Timestamp, Timestamp)>,
    /// Stretches between earliest and latest that cannot be reached because log segments are missing.
    pub holes: Vec<Hole>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    pub timeline: u32,
    /// First and last missing segment, by name.
    pub first: String,
    pub last: String,
    pub segments: u64,
    /// The instants between which nothing can be reached, where the store tells.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// Why a text does not choose exactly one backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    #[error("no backup is called `{0}`")]
    None(String),
    #[error("`{text}` fits {} backups: {}", .fits.len(), .fits.iter().take(4).map(BackupId::as_str).collect::<Vec<_>>().join(", "))]
    Many { text: String, fits: Vec<BackupId> },
    #[error("`{0}` has no backup that can be restored: none at all, or each is incomplete or without its base")]
    NoLatest(AssetId),
    #[error("`{0}` has no restorable backup with a passed proof of L3 or better; run `relight verify` on one first")]
    NoProven(AssetId),
    #[error("`{asset}` has no restorable backup that was taken by {}", .at.format("%Y-%m-%d %H:%M:%S UTC"))]
    NoneBy { asset: AssetId, at: Timestamp },
}

impl Catalog {
    pub fn of_asset<'a, 'i>(&'a self, asset: &'i AssetId) -> impl Iterator<Item = &'a Backup> + use<'a, 'i> {
        self.backups.iter().filter(move |b| &b.asset == asset)
    }

    pub fn get(&self, id: &BackupId) -> Option<&Backup> {
        self.backups.iter().find(|b| &b.id == id)
    }

    pub fn window(&self, asset: &AssetId) -> Option<&RecoveryWindow> {
        self.windows.iter().find(|w| &w.asset == asset)
    }

    /// The backup with this id or this unambiguous beginning of one.
    pub fn choose(&self, text: &str) -> Result<&Backup, ChooseError> {
        if let Some(exact) = self.backups.iter().find(|b| b.id.as_str() == text) {
            return Ok(exact);
        }
        let fits: Vec<&Backup> = self.backups.iter().filter(|b| b.id.as_str().starts_with(text)).collect();
        match fits.as_slice() {
            [one] => Ok(one),
            [] => Err(ChooseError::None(text.to_owned())),
            many => {
                let fits = many.iter().map(|b| b.id.clone()).collect();
                Err(ChooseError::Many { text: text.to_owned(), fits })
            }
        }
    }
}
