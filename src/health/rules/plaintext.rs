//! Unencrypted data left beside an encrypted archive.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;

/// Label under which the catalog names the stray object.
pub const LABEL: &str = "plaintext-beside";

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let strays: Vec<_> = subject.backups.iter().filter_map(|b| b.labels.get(LABEL).map(|name| (*b, name))).collect();
    let open: Vec<_> = subject
        .backups
        .iter()
        .filter(|b| b.encrypted == Some(false))
        .filter(|b| {
            subject
                .asset
                .sources
                .iter()
                .any(|s| s.encrypted && s.kind == b.kind && b.copies.iter().any(|c| c.store == s.store))
        })
        .collect();
    let (backup, name) = match (strays.first(), open.first()) {
        (Some((backup, name)), _) => (*backup, (*name).clone()),
        (None, Some(backup)) => (**backup, backup.copies.first().map(|c| c.path.clone()).unwrap_or_default()),
        (None, None) => return Vec::new(),
    };
    let count = strays.len() + open.len();
    vec![
        Finding::new(
            "plaintext-beside",
            Severity::Critical,
            format!(
                "Data that must be encrypted lies in the open in {count} place{}.",
                if count == 1 { "" } else { "s" }
            ),
        )
        .about(Some(backup))
        .evidence("object", name)
        .remedy(
            "Prove that the encrypted archive can be decrypted, then remove the plaintext and rotate what it held.",
        ),
    ]
}
