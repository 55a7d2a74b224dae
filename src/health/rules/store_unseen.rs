//! Stores that could not be listed: unknown, never healthy.

use crate::catalog::{ScanStatus, StoreScan};
use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;
use crate::model::time::{Timestamp, short_duration};

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    subject
        .blind_spots()
        .into_iter()
        .map(|scan| {
            let mut finding = finding(scan, subject.now);
            finding.message = format!("{} Newer backups of this asset may exist there.", finding.message);
            finding
        })
        .collect()
}

/// The same for the store itself.
pub fn judge_store(scan: &StoreScan, now: Timestamp) -> Option<Finding> {
    (scan.status != ScanStatus::Ok).then(|| finding(scan, now))
}

fn finding(scan: &StoreScan, now: Timestamp) -> Finding {
    let message = match scan.status {
        ScanStatus::Pending => format!("Store {} has not been scanned yet.", scan.id),
        ScanStatus::Denied => format!("Store {} refuses to be listed.", scan.id),
        ScanStatus::Partial => format!("The listing of store {} broke off.", scan.id),
        ScanStatus::Unreachable | ScanStatus::Ok => format!("Store {} cannot be reached.", scan.id),
    };
    let mut finding =
        Finding::new("store-unseen", Severity::Unknown, message).evidence("location", scan.location.clone());
    if let Some(error) = &scan.error {
        finding = finding.evidence("error", error.clone());
    }
    let last = scan
        .scanned_at
        .map_or_else(|| "never".to_owned(), |at| format!("{} ({} ago)", at.to_rfc3339(), short_duration(now - at)));
    finding.evidence("last seen whole", last).remedy(
        scan.hint.clone().unwrap_or_else(|| "Scan again; `relight doctor` tells what is in the way.".to_owned()),
    )
}
