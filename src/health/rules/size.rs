//! Size of the newest backup against its floor and its forerunners.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;
use crate::model::backup::{Backup, BackupKind};
use crate::model::size::ByteCount;
use std::collections::BTreeSet;

/// Forerunners whose median is the yardstick.
const FORERUNNERS: usize = 7;

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let kinds: BTreeSet<BackupKind> = subject.backups.iter().map(|backup| backup.kind).collect();
    kinds
        .into_iter()
        .filter_map(|kind| {
            let of_kind: Vec<&Backup> = subject.backups.iter().copied().filter(|b| b.kind == kind).collect();
            let (newest, earlier) = of_kind.split_first()?;
            let earlier: Vec<&Backup> = earlier.iter().copied().filter(|other| comparable(newest, other)).collect();
            zero(newest).or_else(|| below_floor(subject, newest)).or_else(|| off_forerunners(newest, &earlier))
        })
        .collect()
}

/// A packed file and a plain one, a dump's own format and its text: each has sizes of its own.
fn comparable(one: &Backup, other: &Backup) -> bool {
    match (&one.content, &other.content) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

fn zero(newest: &Backup) -> Option<Finding> {
    (newest.size_bytes == 0).then(|| {
        Finding::new("zero-size", Severity::Critical, format!("The newest {} backup is empty (0 bytes).", newest.kind))
            .about(Some(newest))
            .evidence("backup", newest.id.to_string())
            .remedy("Treat this run as failed: look at the job's log, free space and permissions, and run it again.")
    })
}

fn below_floor(subject: &Subject<'_>, newest: &Backup) -> Option<Finding> {
    let floor = subject
        .asset
        .sources
        .iter()
        .filter(|source| source.kind == newest.kind)
        .filter(|source| newest.copies.iter().any(|copy| copy.store == source.store))
        .filter_map(|source| source.min_size)
        .max()?;
    (newest.size_bytes < floor).then(|| {
        let message = format!(
            "The newest {} backup has {}, below the floor of {}.",
            newest.kind,
            ByteCount(newest.size_bytes),
            ByteCount(floor)
        );
        Finding::new("below-floor", Severity::Critical, message)
            .about(Some(newest))
            .evidence("size", ByteCount(newest.size_bytes).to_string())
            .evidence("floor", ByteCount(floor).to_string())
            .remedy("Verify it now (`relight verify`), and restore from an older one until it is explained.")
    })
}

fn off_forerunners(newest: &Backup, earlier: &[&Backup]) -> Option<Finding> {
    let mut sizes: Vec<u64> = earlier.iter().take(FORERUNNERS).map(|b| b.size_bytes).filter(|n| *n > 0).collect();
    let previous = *sizes.first()?;
    sizes.sort_unstable();
    let median = sizes[sizes.len() / 2];
    let (size, half_off) = (newest.size_bytes as f64, |than: u64| newest.size_bytes as f64 / than as f64 - 1.0);
    let shrunk = half_off(median) < -0.5 || half_off(previous) < -0.5;
    let grown = half_off(median) > 0.5 && half_off(previous) > 0.5;
    if !shrunk && !grown {
        return None;
    }
    let percent = (size / median as f64 - 1.0) * 100.0;
    let message = format!(
        "The newest {} backup has {}; its forerunners have about {} ({percent:+.0} %).",
        newest.kind,
        ByteCount(newest.size_bytes),
        ByteCount(median)
    );
    let (rule, severity) = match (shrunk, percent < -80.0) {
        (true, true) => ("size-collapse", Severity::Critical),
        (true, false) => ("size-collapse", Severity::Warning),
        (false, _) => ("size-jump", Severity::Warning),
    };
    Some(
        Finding::new(rule, severity, message)
            .about(Some(newest))
            .evidence("size", ByteCount(newest.size_bytes).to_string())
            .evidence("previous", ByteCount(previous).to_string())
            .evidence(format!("median of {} before", sizes.len()), ByteCount(median).to_string())
            .remedy("Compare its table of contents with an older one; look for a partial dump or lost data."),
    )
}
