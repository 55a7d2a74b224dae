//! Verifications: failed, too old, or missing where the asset asks for them.

use crate::health::finding::{Finding, Severity};
use crate::health::subject::Subject;
use crate::model::backup::Backup;
use crate::model::objective::ProofRule;
use crate::model::proof::{ProofOutcome, ProofRecord};
use crate::model::time::short_duration;

pub fn judge(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = failed(subject).into_iter().collect();
    if let Some(rule) = subject.asset.objectives.proof {
        findings.extend(stale(subject, rule));
    }
    findings
}

fn failed(subject: &Subject<'_>) -> Option<Finding> {
    let bad: Vec<(&Backup, &ProofRecord)> = subject
        .backups
        .iter()
        .filter_map(|b| b.proof.as_deref().map(|proof| (*b, proof)))
        .filter(|(_, proof)| proof.outcome == ProofOutcome::Failed)
        .collect();
    let (backup, proof) = bad.first()?;
    let newest = subject.backups.first().is_some_and(|b| b.id == backup.id);
    let message = match bad.len() {
        1 => format!("Backup {} is bad: {}", backup.id, proof.detail),
        n => format!("{n} backups are bad; the newest of them is {}: {}", backup.id, proof.detail),
    };
    Some(
        Finding::new("proof-failed", if newest { Severity::Critical } else { Severity::Warning }, message)
            .about(Some(backup))
            .evidence("object", format!("{}: {}", proof.store, proof.path))
            .evidence("verified", format!("{} by {} to {}", proof.at.to_rfc3339(), proof.actor, proof.wanted))
            .remedy("Do not restore it. Check other copies with `relight verify`, then take a new backup."),
    )
}

fn stale(subject: &Subject<'_>, rule: ProofRule) -> Option<Finding> {
    if subject.backups.is_empty() {
        return None;
    }
    let good = subject
        .backups
        .iter()
        .filter_map(|b| b.proof.as_deref().map(|proof| (*b, proof)))
        .filter(|(_, proof)| proof.outcome == ProofOutcome::Passed && proof.level >= rule.level)
        .max_by_key(|(_, proof)| proof.at);
    let every = chrono::Duration::from_std(rule.every).unwrap_or(chrono::Duration::MAX);
    match good {
        Some((_, proof)) if subject.now - proof.at <= every => None,
        Some((backup, proof)) => Some(
            Finding::new(
                "proof-stale",
                Severity::Warning,
                format!("The last proof to {} is {} old.", rule.level, short_duration(subject.now - proof.at)),
            )
            .about(Some(backup))
            .evidence("proven", format!("{} at {}", backup.id, proof.at.to_rfc3339()))
            .evidence("asked for", format!("{} every {}", rule.level, short_duration(every)))
            .remedy("Verify the newest backup: `relight verify <backup>`."),
        ),
        None => Some(
            Finding::new(
                "unproven",
                Severity::Warning,
                format!("No backup of this asset was ever proven to {}.", rule.level),
            )
            .about(subject.newest_usable())
            .evidence("asked for", format!("{} every {}", rule.level, short_duration(every)))
            .remedy("Verify the newest backup: `relight verify <backup>`."),
        ),
    }
}
