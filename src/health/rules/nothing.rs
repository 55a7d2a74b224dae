//! No backup at all: absence is an alarm, unless a store was not seen.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    if subject.asset.sources.is_empty() {
        return vec![
            Finding::new("no-backup", Severity::Critical, "No source of backups is configured for this asset.")
                .remedy("Add an [[assets.sources]] table with store and pattern, or remove the asset."),
        ];
    }
    if !subject.backups.is_empty() || !subject.blind_spots().is_empty() {
        return Vec::new();
    }
    let looked: Vec<String> = subject.asset.sources.iter().map(|s| format!("{}: {}", s.store, s.pattern)).collect();
    vec![
        Finding::new("no-backup", Severity::Critical, "No backup of this asset exists in any store.")
            .evidence("looked in", looked.join("; "))
            .remedy("Run a backup now; if backups exist under other names, correct the patterns."),
    ]
}
