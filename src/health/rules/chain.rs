//! Incrementals that have lost their base.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;
use crate::model::backup::Backup;

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let orphans: Vec<(&Backup, &str)> = subject
        .backups
        .iter()
        .filter_map(|b| b.chain.as_ref().filter(|link| link.base.is_none()).map(|link| (*b, link.base_name.as_str())))
        .collect();
    let Some((first, base)) = orphans.first() else {
        return Vec::new();
    };
    let severity = if subject.blind_spots().is_empty() { Severity::Critical } else { Severity::Unknown };
    vec![
        Finding::new(
            "broken-chain",
            severity,
            format!("{} of its backups cannot be restored: the base they build on is not there.", orphans.len()),
        )
        .about(Some(first))
        .evidence("backup", first.id.to_string())
        .evidence("base that is missing", (*base).to_owned())
        .remedy("Take a new full backup now; look for the base in archives and deleted versions."),
    ]
}
