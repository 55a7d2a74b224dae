//! A newest backup that must be thawed before anyone can read it, where its asset has an RTO. Without one an archive
//! is a place like any other.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;
use crate::model::time::short_duration;

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let rto = subject.asset.objectives.rto.and_then(|rto| chrono::Duration::from_std(rto).ok());
    let newest = subject.backups.iter().find(|backup| Subject::is_usable(backup));
    let (Some(rto), Some(newest)) = (rto, newest) else { return Vec::new() };
    let classes: Vec<&str> = newest.copies.iter().filter_map(|copy| copy.archive_class()).collect();
    let Some(class) = classes.first().filter(|_| classes.len() == newest.copies.len()) else { return Vec::new() };
    let stores: Vec<&str> = newest.copies.iter().map(|copy| copy.store.as_str()).collect();
    let message = format!(
        "The newest backup can be had out of an archive alone ({class}), which takes hours; the RTO is {}.",
        short_duration(rto)
    );
    vec![
        Finding::new("archived-only", Severity::Warning, message)
            .about(Some(newest))
            .evidence("stores", stores.join(", "))
            .remedy("Keep the newest backups in a class that can be read at once; thaw this one with `relight run thaw-backup`."),
    ]
}
