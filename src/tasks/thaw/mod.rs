//! Copies in archive classes: how their objects stand, how long it takes until they can be read, and asking for them.

pub mod archived;
pub mod ask;
pub mod wait;

use super::backup::objects::{self, Object};
use super::input::Stop;
use super::source::store_failure;
use crate::model::backup::Copy;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use crate::stores::{Pin, Store, StoreErrorKind, Thaw, ThawTier};
use crate::tasks::module::{InputKind, InputSpec};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeSet;
use std::time::Duration;

pub const STORE: InputSpec =
    InputSpec { name: "store", kind: InputKind::Text, required: true, help: "Store that the copy lies in" };
pub const OBJECTS: InputSpec =
    InputSpec { name: "objects", kind: InputKind::List, required: true, help: "Its objects, from backup.archived" };
pub const TIER: InputSpec = InputSpec {
    name: "tier",
    kind: InputKind::Text,
    required: false,
    help: "expedited, standard (default) or bulk: the sooner, the dearer",
};
pub const DAYS: InputSpec = InputSpec {
    name: "days",
    kind: InputKind::Integer,
    required: false,
    help: "How long the bytes stay readable; default 7, at most 365",
};

/// Looks and requests that are under way at once.
pub const AT_ONCE: usize = 8;

/// How the objects of a copy stand.
#[derive(Debug, Default)]
pub struct Standing {
    /// Nobody has asked for these.
    pub archived: Vec<Object>,
    pub thawing: usize,
    pub thawed: usize,
    pub readable: usize,
    /// Classes and tiers of those that cannot be read.
    pub archives: BTreeSet<String>,
    /// When the first thawed one goes back.
    pub until: Option<Timestamp>,
}

impl Standing {
    pub async fn of(store: &dyn Store, all: &[Object]) -> Result<Self, Stop> {
        let looks: Vec<_> = all.iter().map(|object| store.thaw_state(&object.name, &object.pin)).collect();
        let states: Vec<Thaw> = stream::iter(looks).buffered(AT_ONCE).try_collect().await.map_err(|error| {
            let failure = store_failure(&error).means("how the copy stands in its archive is not known");
            if error.kind == StoreErrorKind::NotFound { Stop::Failed(failure) } else { Stop::Unknown(failure) }
        })?;
        let mut standing = Self::default();
        for (object, state) in all.iter().zip(states) {
            match state {
                Thaw::Readable => standing.readable += 1,
                Thaw::Archived { archive } => {
                    standing.archives.insert(archive);
                    standing.archived.push(object.clone());
                }
                Thaw::Thawing { archive } => {
                    standing.archives.insert(archive);
                    standing.thawing += 1;
                }
                Thaw::Thawed { until } => {
                    standing.thawed += 1;
                    standing.until = [standing.until, until].into_iter().flatten().min();
                }
            }
        }
        Ok(standing)
    }

    pub fn all_readable(&self) -> bool {
        self.archived.is_empty() && self.thawing == 0
    }

    pub fn archives(&self) -> String {
        let shown: Vec<_> = self.archives.iter().map(|archive| escaped(archive)).collect();
        shown.join(" and ")
    }

    /// Why the copy cannot be read now; nothing if it can.
    pub fn in_the_way(&self) -> Option<String> {
        if !self.archived.is_empty() {
            return Some(format!(
                "it is archived ({}) and must be thawed first: `relight run thaw-backup`",
                self.archives()
            ));
        }
        (self.thawing > 0).then(|| format!("it is being thawed out of {}", self.archives()))
    }
}

/// Why a copy that was archived when it was listed cannot be read now; nothing if it was thawed since.
pub async fn in_the_way(store: &dyn Store, copy: &Copy) -> Result<Option<String>, Stop> {
    let all = if copy.path.ends_with('/') {
        objects::below(store, &copy.path).await?
    } else {
        let pin = Pin { size: copy.size_bytes, etag: copy.etag.clone(), modified: copy.modified_at };
        vec![Object { name: copy.path.clone(), pin }]
    };
    Ok(Standing::of(store, &all).await?.in_the_way())
}

/// How long an archive takes, as Amazon gives it for S3 Glacier: in words, and how long to wait at most before asking
/// why. `None` where the archive does not offer the tier.
pub fn takes(archive: &str, tier: ThawTier) -> Option<(&'static str, Duration)> {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    match (archive.starts_with("DEEP"), tier) {
        (true, ThawTier::Expedited) => None,
        (true, ThawTier::Standard) => Some(("within 12 hours", hours(18))),
        (true, ThawTier::Bulk) => Some(("within 48 hours", hours(60))),
        (false, ThawTier::Expedited) => Some(("in 1 to 5 minutes", hours(1))),
        (false, ThawTier::Standard) => Some(("in 3 to 5 hours", hours(9))),
        (false, ThawTier::Bulk) => Some(("in 5 to 12 hours", hours(18))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_archive_takes_longer_and_offers_nothing_expedited() {
        assert_eq!(takes("DEEP_ARCHIVE", ThawTier::Expedited), None);
        assert_eq!(takes("DEEP_ARCHIVE_ACCESS", ThawTier::Standard).map(|it| it.0), Some("within 12 hours"));
        assert_eq!(takes("GLACIER", ThawTier::Bulk).map(|it| it.0), Some("in 5 to 12 hours"));
        for tier in [ThawTier::Expedited, ThawTier::Standard, ThawTier::Bulk] {
            assert!(takes("ARCHIVE_ACCESS", tier).is_some());
        }
    }
}
