//! Backups whose members or completion markers are missing.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;
use crate::model::backup::Backup;

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let bad: Vec<&Backup> = subject.backups.iter().copied().filter(|b| b.complete == Some(false)).collect();
    let Some(first) = bad.first() else {
        return Vec::new();
    };
    let newest_of_kind = subject.backups.iter().find(|b| b.kind == first.kind).is_some_and(|b| b.id == first.id);
    let severity = if newest_of_kind { Severity::Critical } else { Severity::Warning };
    let message = match bad.len() {
        1 => format!("A {} backup is incomplete.", first.kind),
        n => format!("{n} backups are incomplete; the newest of them is a {} backup.", first.kind),
    };
    let mut finding = Finding::new("incomplete-backup", severity, message)
        .about(Some(first))
        .evidence("backup", first.id.to_string())
        .remedy("Do not restore it. If a backup runs right now, wait for its end and scan again.");
    for reason in first.incomplete_because.iter().take(3) {
        finding = finding.evidence("missing", reason.clone());
    }
    vec![finding]
}
