//! A physical base backup's place in the log, as its manifest or its backup history file tells it.

use super::window::{LAYOUT, OWN_LOG, START_LSN, START_TIMELINE, STOP_LSN, STOP_TIME};
use crate::model::backup::Backup;
use crate::model::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub timeline: Option<u32>,
    /// Log positions from which on recovery reads, and from which on the copy is consistent.
    pub start: Option<u64>,
    pub stop: Option<u64>,
    /// When the copying ended, where a file of the server itself says it in UTC.
    pub ended_at: Option<Timestamp>,
    /// It carries the log from its start to its end.
    pub own_log: bool,
    pub cluster: Option<u64>,
    /// Bytes of its files.
    pub bytes: Option<u64>,
}

impl Position {
    /// `None` for whatever is no physical base backup.
    pub fn of(backup: &Backup) -> Option<Self> {
        if backup.labels.get(LAYOUT).map(String::as_str) != Some("pg_basebackup") {
            return None;
        }
        let fact = |name: &str| backup.sidecars.iter().flat_map(|s| &s.facts).find(|(n, _)| n == name).map(|(_, v)| v);
        let manifest = backup.sidecars.iter().find(|sidecar| sidecar.name == "backup_manifest");
        let listed = |name: &str| manifest?.facts.iter().find(|(n, _)| n == name)?.1.parse().ok();
        Some(Self {
            timeline: fact(START_TIMELINE).and_then(|t| t.parse().ok()),
            start: fact(START_LSN).and_then(|lsn| lsn_of(lsn)),
            stop: fact(STOP_LSN).and_then(|lsn| lsn_of(lsn)),
            ended_at: fact(STOP_TIME).and_then(|t| chrono::DateTime::parse_from_rfc3339(t).ok()).map(|t| t.to_utc()),
            own_log: backup.labels.contains_key(OWN_LOG),
            cluster: listed("system_identifier").or_else(|| fact("system_identifier")?.parse().ok()),
            bytes: listed("bytes"),
        })
    }
}

/// A log position written `16/B374D848`.
pub(super) fn lsn_of(text: &str) -> Option<u64> {
    let (high, low) = text.trim().split_once('/')?;
    let (high, low) = (u32::from_str_radix(high, 16).ok()?, u32::from_str_radix(low, 16).ok()?);
    Some(u64::from(high) << 32 | u64::from(low))
}
