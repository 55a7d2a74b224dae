//! Pieces of JSON documents that several commands print, in the field names of their schemas.

use crate::catalog::{Hole, RecoveryWindow};
use crate::health::Finding;
use crate::model::backup::{Backup, BackupKind, ChainLink, Copy, Labels, TimeSource};
use crate::model::content::Content;
use crate::model::id::{AssetId, BackupId};
use crate::model::proof::{Level, ProofOutcome, ProofRecord};
use crate::model::time::Timestamp;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct BackupRow<'a> {
    pub id: &'a BackupId,
    pub asset: &'a AssetId,
    pub kind: BackupKind,
    pub taken_at: Timestamp,
    pub time_source: TimeSource,
    pub ambiguous_with: Option<Timestamp>,
    pub size_bytes: u64,
    pub complete: Option<bool>,
    pub incomplete_because: &'a [String],
    pub encrypted: Option<bool>,
    pub content: Option<&'a Content>,
    pub copies: &'a [Copy],
    pub chain: Option<ChainRow<'a>>,
    pub proof: Option<ProofRow<'a>>,
    pub labels: &'a Labels,
}

#[derive(Debug, Serialize)]
pub struct ChainRow<'a> {
    /// Absent where the base that the name means is not in the catalog.
    pub base: Option<&'a BackupId>,
    pub base_name: &'a str,
}

#[derive(Debug, Serialize)]
pub struct ProofRow<'a> {
    pub level: Level,
    pub wanted: Level,
    pub at: Timestamp,
    pub outcome: ProofOutcome,
    pub detail: &'a str,
}

impl<'a> BackupRow<'a> {
    pub fn new(backup: &'a Backup) -> Self {
        let chain = |chain: &'a ChainLink| ChainRow { base: chain.base.as_ref(), base_name: &chain.base_name };
        Self {
            id: &backup.id,
            asset: &backup.asset,
            kind: backup.kind,
            taken_at: backup.taken_at,
            time_source: backup.time_source,
            ambiguous_with: backup.ambiguous_with,
            size_bytes: backup.size_bytes,
            complete: backup.complete,
            incomplete_because: &backup.incomplete_because,
            encrypted: backup.encrypted,
            content: backup.content.as_ref(),
            copies: &backup.copies,
            chain: backup.chain.as_deref().map(chain),
            proof: backup.proof.as_deref().map(ProofRow::new),
            labels: &backup.labels,
        }
    }
}

impl<'a> ProofRow<'a> {
    pub fn new(proof: &'a ProofRecord) -> Self {
        let ProofRecord { level, wanted, at, outcome, detail, .. } = proof;
        Self { level: *level, wanted: *wanted, at: *at, outcome: *outcome, detail }
    }
}

#[derive(Debug, Serialize)]
pub struct FindingRow<'a> {
    pub rule: &'a str,
    pub severity: crate::health::Severity,
    pub message: &'a str,
    pub evidence: Vec<Evidence<'a>>,
    pub remedy: &'a str,
    pub backup: Option<&'a BackupId>,
}

#[derive(Debug, Serialize)]
pub struct Evidence<'a> {
    pub name: &'a str,
    pub value: &'a str,
}

impl<'a> FindingRow<'a> {
    pub fn all(findings: &'a [Finding]) -> Vec<Self> {
        let evidence = |pairs: &'a [(String, String)]| pairs.iter().map(|(name, value)| Evidence { name, value });
        let row = |finding: &'a Finding| Self {
            rule: &finding.rule,
            severity: finding.severity,
            message: &finding.message,
            evidence: evidence(&finding.evidence).collect(),
            remedy: &finding.remedy,
            backup: finding.backup.as_ref(),
        };
        findings.iter().map(row).collect()
    }
}

#[derive(Debug, Serialize)]
pub struct WindowRow<'a> {
    pub earliest: Option<Timestamp>,
    pub latest: Option<Timestamp>,
    /// Instants that can be reached by themselves.
    pub points: &'a [Timestamp],
    /// Stretches in which every instant can be reached.
    pub spans: Vec<Span>,
    pub holes: &'a [Hole],
}

#[derive(Debug, Serialize)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl<'a> WindowRow<'a> {
    pub fn new(window: &'a RecoveryWindow) -> Self {
        Self {
            earliest: window.earliest,
            latest: window.latest,
            points: &window.points,
            spans: window.spans.iter().map(|(from, to)| Span { from: *from, to: *to }).collect(),
            holes: &window.holes,
        }
    }
}
