//! Choosing one backup of an asset by what an operator types.

use super::moving::MOVING;
use super::snapshot::{Catalog, ChooseError};
use crate::model::backup::{Backup, BackupKind};
use crate::model::id::AssetId;
use crate::model::proof::{Level, ProofOutcome};
use crate::model::time::{Timestamp, zoned};

/// The least proof that counts for `latest-proven`: the container opens and decodes to its end.
pub const PROVEN: Level = Level::L3;

impl Catalog {
    /// The backup of `asset` that `text` means: `latest`, `latest-proven`, an instant with its zone (the nearest
    /// not after it), an id, or the unambiguous beginning of one, with or without the asset in front.
    ///
    /// `latest` passes over log segments, incomplete backups, and incrementals whose base is gone: none
    /// of these can be restored; and a moving name of bytes that no dated backup has, as long as there is any
    /// dated one: after a corruption it is the newest bad backup. `latest-proven` wants a passed proof of at least [`PROVEN`] besides.
    pub fn choose_for(&self, asset: &AssetId, text: &str) -> Result<&Backup, ChooseError> {
        let dated = self.of_asset(asset).any(|b| is_restorable(b) && !is_moving(b));
        let mut restorable = self.of_asset(asset).filter(|b| is_restorable(b) && !(dated && is_moving(b)));
        match text {
            "latest" => return restorable.next().ok_or_else(|| ChooseError::NoLatest(asset.clone())),
            "latest-proven" => {
                return restorable.find(|b| is_proven(b)).ok_or_else(|| ChooseError::NoProven(asset.clone()));
            }
            _ => {}
        }
        if let Some(at) = zoned(text) {
            return self.nearest(asset, at).ok_or_else(|| ChooseError::NoneBy { asset: asset.clone(), at });
        }
        let with_asset = format!("{asset}-{text}");
        let starts = |id: &str| id.starts_with(text) || id.starts_with(&with_asset);
        if let Some(exact) = self.of_asset(asset).find(|b| b.id.as_str() == text || b.id.as_str() == with_asset) {
            return Ok(exact);
        }
        let fits: Vec<&Backup> = self.of_asset(asset).filter(|b| starts(b.id.as_str())).collect();
        match fits.as_slice() {
            [one] => Ok(one),
            [] => Err(ChooseError::None(text.to_owned())),
            many => Err(ChooseError::Many { text: text.to_owned(), fits: many.iter().map(|b| b.id.clone()).collect() }),
        }
    }

    /// The newest backup of `asset` that is not younger than `at`, can be restored and is not known to be bad. Each
    /// component has a stamp of its own: what one was taken at says nothing about another.
    pub fn nearest(&self, asset: &AssetId, at: Timestamp) -> Option<&Backup> {
        let bad = |b: &Backup| b.proof.as_ref().is_some_and(|p| p.outcome == ProofOutcome::Failed);
        let fits = |b: &&Backup| b.taken_at <= at && is_restorable(b) && !is_moving(b) && !bad(b);
        self.of_asset(asset).filter(fits).max_by_key(|b| b.taken_at)
    }
}

/// Whether nothing known speaks against restoring it.
pub fn is_restorable(backup: &Backup) -> bool {
    backup.kind != BackupKind::Log
        && backup.complete != Some(false)
        && backup.chain.as_ref().is_none_or(|link| link.base.is_some())
}

/// Whether it is known by a moving name alone, and so by the store's time.
pub fn is_moving(backup: &Backup) -> bool {
    backup.labels.contains_key(MOVING)
}

fn is_proven(backup: &Backup) -> bool {
    backup.proof.as_ref().is_some_and(|p| p.outcome == ProofOutcome::Passed && p.level >= PROVEN)
}
