//! Metadata that contradicts the objects it describes.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let bad: Vec<_> = subject
        .backups
        .iter()
        .flat_map(|b| b.sidecars.iter().map(move |s| (*b, s)))
        .filter(|(_, sidecar)| !sidecar.disagreements.is_empty())
        .collect();
    let Some((backup, sidecar)) = bad.first() else {
        return Vec::new();
    };
    let message = match bad.len() {
        1 => format!("{} contradicts the backup it describes.", sidecar.name),
        n => format!("In {n} places metadata contradicts the backups it describes; the newest is in {}.", sidecar.name),
    };
    let mut finding = Finding::new("sidecar-disagrees", Severity::Warning, message)
        .about(Some(backup))
        .evidence("backup", backup.id.to_string())
        .evidence("sidecar", format!("{}: {}", sidecar.store, sidecar.path));
    for line in sidecar.disagreements.iter().take(3) {
        finding = finding.evidence("disagrees", line.clone());
    }
    vec![
        finding.remedy(
            "Verify the backup (`relight verify`) before you trust either; correct the job that writes the file.",
        ),
    ]
}
