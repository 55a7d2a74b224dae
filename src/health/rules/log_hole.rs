//! Missing log segments: instants that cannot be reached.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;
use crate::model::backup::BackupKind;

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(window) = subject.window() else {
        return Vec::new();
    };
    let blind = !subject.blind_spots().is_empty();
    let newest_full = subject.backups.iter().find(|b| b.kind == BackupKind::Full).map(|b| b.taken_at);
    window
        .holes
        .iter()
        .map(|hole| {
            // A hole behind the newest full backup only shortens the past.
            let behind = matches!((hole.to, newest_full), (Some(to), Some(full)) if to < full);
            let severity = match (blind, behind) {
                (true, _) => Severity::Unknown,
                (false, true) => Severity::Warning,
                (false, false) => Severity::Critical,
            };
            let noun = if hole.segments == 1 { "segment is" } else { "segments are" };
            let mut finding = Finding::new(
                "log-hole",
                severity,
                format!("{} log {noun} missing on timeline {}.", hole.segments, hole.timeline),
            )
            .evidence("first missing", hole.first.clone())
            .evidence("last missing", hole.last.clone());
            if let (Some(from), Some(to)) = (hole.from, hole.to) {
                finding =
                    finding.evidence("cannot be reached", format!("{} to {}", from.to_rfc3339(), to.to_rfc3339()));
            }
            finding.remedy("Look for the segments on the server and in other stores; take a new base backup now.")
        })
        .collect()
}
