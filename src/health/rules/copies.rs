//! Copies, media and sites of the newest backup against the 3-2-1 rule of the asset.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let (Some(rule), Some(newest)) = (subject.asset.objectives.copies, subject.newest_usable()) else {
        return Vec::new();
    };
    let have = subject.copies_of(newest);
    let mut lacking = Vec::new();
    for (what, have, want) in [
        ("copies", have.total, rule.total),
        ("media", have.media, rule.media),
        ("off site", have.off_site, rule.off_site),
    ] {
        if have < want {
            lacking.push(format!("{what} {have} of {want}"));
        }
    }
    if lacking.is_empty() {
        return Vec::new();
    }
    let severity = match (subject.blind_spots().is_empty(), newest.copies.len()) {
        (false, _) => Severity::Unknown,
        (true, 0 | 1) if rule.total > 2 => Severity::Critical,
        (true, _) => Severity::Warning,
    };
    let places: Vec<&str> = newest.copies.iter().map(|copy| copy.store.as_str()).collect();
    vec![
        Finding::new(
            "too-few-copies",
            severity,
            format!("The newest backup has too few copies: {}.", lacking.join(", ")),
        )
        .about(Some(newest))
        .evidence("stores with a copy", places.join(", "))
        .evidence("counted", "the live data counts as one copy on disk")
        .remedy("Find out why the copy to the missing store failed, and copy the backup there."),
    ]
}
