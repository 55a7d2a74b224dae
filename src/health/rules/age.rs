//! Age of the newest recovery point against the RPO.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;
use crate::model::estate::Tier;
use crate::model::time::short_duration;

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let (Some(rpo), Some(newest)) = (subject.asset.objectives.rpo, subject.newest_point()) else {
        return Vec::new();
    };
    let age = subject.now - newest;
    let rpo = chrono::Duration::from_std(rpo).unwrap_or(chrono::Duration::MAX);
    if age <= rpo {
        return Vec::new();
    }
    let far = age > rpo + rpo || subject.asset.tier == Tier::Critical;
    let severity = match (subject.blind_spots().is_empty(), far) {
        (false, _) => Severity::Unknown,
        (true, true) => Severity::Critical,
        (true, false) => Severity::Warning,
    };
    let message =
        format!("The newest recovery point is {} old; the objective is {}.", short_duration(age), short_duration(rpo));
    vec![
        Finding::new("age-over-rpo", severity, message)
            .evidence("newest recovery point", newest.to_rfc3339())
            .evidence("age", short_duration(age))
            .evidence("RPO", short_duration(rpo))
            .about(subject.newest_usable())
            .remedy("Find out why the backup job did not run or did not arrive, then run it now."),
    ]
}
