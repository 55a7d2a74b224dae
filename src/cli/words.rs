//! How instants, ages, proofs and stores are put into words.

use super::output::Tone;
use crate::catalog::ScanStatus;
use crate::model::backup::TimeSource;
use crate::model::proof::{ProofOutcome, ProofRecord};
use crate::model::time::{Timestamp, short_duration};
use chrono_tz::Tz;

/// `2026-11-21 03:15 CET`, in the estate's zone.
pub fn instant(at: Timestamp, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string()
}

/// `2h 05m`; an instant that lies ahead says so.
pub fn age(at: Timestamp, now: Timestamp) -> String {
    let span = now - at;
    let text = short_duration(span);
    if span < chrono::Duration::zero() { format!("in {text}") } else { text }
}

/// `L4 passed, 3d 4h ago`.
pub fn proof(record: Option<&ProofRecord>, now: Timestamp) -> (Tone, String) {
    let Some(record) = record else { return (Tone::Quiet, "never proven".to_owned()) };
    let (tone, word) = match record.outcome {
        ProofOutcome::Passed => (Tone::Good, "passed"),
        ProofOutcome::Failed => (Tone::Critical, "FAILED"),
        ProofOutcome::Unknown => (Tone::Unknown, "unfinished"),
    };
    let level = if record.outcome == ProofOutcome::Passed { record.level } else { record.wanted };
    (tone, format!("{level} {word}, {} ago", age(record.at, now)))
}

pub const fn time_source(source: TimeSource) -> &'static str {
    match source {
        TimeSource::Metadata => "its metadata",
        TimeSource::Name => "its name",
        TimeSource::Modified => "its modification time, which copying changes",
    }
}

pub const fn scan_status(status: ScanStatus) -> (Tone, &'static str) {
    match status {
        ScanStatus::Ok => (Tone::Good, "ok"),
        ScanStatus::Unreachable => (Tone::Unknown, "unreachable"),
        ScanStatus::Denied => (Tone::Unknown, "denied"),
        ScanStatus::Partial => (Tone::Unknown, "partial"),
        ScanStatus::Pending => (Tone::Quiet, "not scanned"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_in_the_zone_and_the_future_is_named() {
        let at: Timestamp = "2026-10-25T00:30:00Z".parse().unwrap();
        assert_eq!(instant(at, Tz::Europe__Berlin), "2026-10-25 02:30 CEST");
        assert_eq!(age(at, at + chrono::Duration::minutes(125)), "2h 05m");
        assert_eq!(age(at, at - chrono::Duration::minutes(5)), "in 5m 00s");
    }
}
