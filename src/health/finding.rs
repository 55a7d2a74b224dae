//! What a rule says, and the report that all rules add up to.

use crate::model::backup::Backup;
use crate::model::id::{AssetId, BackupId, StoreId};
use crate::model::proof::ProofRecord;
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Worst last. `Unknown` stands between warning and critical: it is never healthy, and it asks
/// for eyes, but a proven disaster comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Ok,
    Warning,
    Unknown,
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::Ok => "ok",
            Severity::Warning => "warning",
            Severity::Unknown => "unknown",
            Severity::Critical => "critical",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Name of the rule: `age-over-rpo`, `missed-run`, `size-collapse`…
    pub rule: String,
    pub severity: Severity,
    /// One sentence: what is wrong.
    pub message: String,
    /// The figures that show it, in order.
    pub evidence: Vec<(String, String)>,
    /// What to do about it.
    pub remedy: String,
    /// The backup it is about, where it is about one.
    pub backup: Option<BackupId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetHealth {
    pub id: AssetId,
    pub verdict: Severity,
    /// Age of the newest usable recovery point.
    pub age_seconds: Option<i64>,
    pub rpo_seconds: Option<u64>,
    pub rto_seconds: Option<u64>,
    pub newest: Option<BackupId>,
    pub newest_at: Option<Timestamp>,
    /// Copies, media and off-site copies of the newest backup.
    pub copies: CopyCount,
    /// Best proof among the recent backups: of the newest backup that has one.
    pub proof: Option<ProofRecord>,
    /// Sizes of the newest backups of the asset's main kind, oldest first, for the sparkline.
    pub sizes: Vec<u64>,
    pub backups: u64,
    /// Worst first.
    pub findings: Vec<Finding>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyCount {
    pub total: u32,
    pub media: u32,
    pub off_site: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHealth {
    pub id: StoreId,
    pub verdict: Severity,
    pub findings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// The worst of all assets and stores.
    pub verdict: Severity,
    /// Worst first, then by tier, then by name.
    pub assets: Vec<AssetHealth>,
    pub stores: Vec<StoreHealth>,
    pub judged_at: Timestamp,
}

impl Finding {
    pub fn new(rule: &str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            rule: rule.to_owned(),
            severity,
            message: message.into(),
            evidence: Vec::new(),
            remedy: String::new(),
            backup: None,
        }
    }
    #[must_use]
    pub fn evidence(mut self, what: impl Into<String>, figure: impl Into<String>) -> Self {
        self.evidence.push((what.into(), figure.into()));
        self
    }
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
    #[must_use]
    pub fn about(mut self, backup: Option<&Backup>) -> Self {
        self.backup = backup.map(|b| b.id.clone());
        self
    }
}
