//! How old what is shown is, and what of it belongs to a store that is lost.

use super::canvas::{Line, span};
use super::format;
use super::screen::Cx;
use super::theme::Role;
use crate::catalog::{ScanStatus, StoreScan};
use crate::model::backup::Backup;
use crate::model::id::{AssetId, StoreId};
use crate::model::time::Timestamp;
use crate::session::View;

/// The age of the catalog in a few words, for the corner of a panel.
pub fn of_catalog(cx: &Cx) -> Line {
    let view = cx.view;
    if !view.scanning.is_empty() {
        let seen: u64 = view.scanning.iter().map(|(_, objects)| objects).sum();
        let kept = if view.catalog_from_disk { "from disk, " } else { "" };
        return vec![span(format!("{kept}scanning, {} seen", format::counted(seen, "object", "objects")), Role::Info)];
    }
    let Some(at) = view.catalog.scanned_at else { return vec![span("not scanned yet", Role::Warning)] };
    let age = age(at, cx.now);
    if view.catalog_from_disk {
        return vec![span(format!("from disk, {age} old"), Role::Warning)];
    }
    vec![span(format!("scanned {age} ago"), Role::Dim)]
}

/// The age of the verdicts.
pub fn of_health(cx: &Cx) -> String {
    format!("judged {} ago", age(cx.view.health.judged_at, cx.now))
}

/// `<1m`, then one unit: text that changes seldom.
pub fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now - at).num_seconds().max(0);
    if seconds < 60 { "<1m".to_owned() } else { format::brief(seconds) }
}

/// The scan row of a store that could not be read; partial listings count as read.
pub fn lost<'a>(view: &'a View, store: &StoreId) -> Option<&'a StoreScan> {
    let scan = view.catalog.stores.iter().find(|scan| &scan.id == store)?;
    matches!(scan.status, ScanStatus::Unreachable | ScanStatus::Denied).then_some(scan)
}

/// Whether every copy lies in a lost store: what is shown of the backup may be gone.
pub fn is_stale(view: &View, backup: &Backup) -> bool {
    backup.copies.iter().all(|copy| lost(view, &copy.store).is_some())
}

/// The lost stores among the sources of an asset, with when they were last seen.
pub fn lost_stores_of<'a>(view: &'a View, asset: &AssetId) -> Vec<&'a StoreScan> {
    let Some(asset) = view.estate.asset(asset) else { return Vec::new() };
    let mut out: Vec<&StoreScan> = Vec::new();
    for source in &asset.sources {
        if let Some(scan) = lost(view, &source.store).filter(|scan| out.iter().all(|known| known.id != scan.id)) {
            out.push(scan);
        }
    }
    out
}

/// `s3-primary unreachable, last seen 3h ago`.
pub fn lost_sentence(scan: &StoreScan, now: Timestamp) -> String {
    let word = status_word(scan.status);
    match scan.scanned_at {
        Some(at) => format!("{} {word}, last seen {} ago", scan.id, age(at, now)),
        None => format!("{} {word}, never seen", scan.id),
    }
}

pub const fn status_word(status: ScanStatus) -> &'static str {
    match status {
        ScanStatus::Ok => "ok",
        ScanStatus::Unreachable => "unreachable",
        ScanStatus::Denied => "denied",
        ScanStatus::Partial => "partial",
        ScanStatus::Pending => "pending",
    }
}
