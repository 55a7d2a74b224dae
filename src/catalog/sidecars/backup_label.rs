//! PostgreSQL's `backup_label`, the backup history files of a log archive, and one-line labels of scripts.

use super::told::{About, Told, digits, lossy};
use crate::catalog::window::{START_LSN, START_TIMELINE, STOP_LSN, STOP_TIME};

use crate::model::time::Timestamp;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::catalog) struct BackupLabel {
    lines: Vec<(String, String)>,
}

impl BackupLabel {
    pub(in crate::catalog) fn parse(bytes: &[u8]) -> Self {
        let text = lossy(bytes);
        let lines = text.lines().take(64).filter_map(|l| l.split_once(": "));
        Self { lines: lines.map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned())).collect() }
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The label that was given to the backup: scripts use its folder's name.
    pub(in crate::catalog) fn label(&self) -> Option<&str> {
        self.get("LABEL")
    }

    pub(in crate::catalog) fn started(&self) -> Option<Timestamp> {
        let text = self.get("START TIME").and_then(utc)?;
        chrono::DateTime::parse_from_rfc3339(&text).ok().map(|at| at.to_utc())
    }

    pub(in crate::catalog) fn about(&self, about: &About<'_>) -> Told {
        let mut told = Told::default();
        if self.lines.is_empty() {
            told.warnings.push("it has no line that a backup label has".to_owned());
        }
        let lsn = |key: &str| self.get(key).and_then(|v| v.split_whitespace().next());
        if let Some(start) = lsn("START WAL LOCATION") {
            told.fact(START_LSN, start);
        }
        if let Some(stop) = lsn("STOP WAL LOCATION") {
            told.fact(STOP_LSN, stop);
        }
        if let Some(timeline) = self.get("STOP TIMELINE").or(self.get("START TIMELINE")) {
            told.fact(START_TIMELINE, timeline);
        }
        if let Some(stop) = self.get("STOP TIME").and_then(utc) {
            told.fact(STOP_TIME, stop);
        }
        for (key, value) in &self.lines {
            told.fact(key.to_lowercase(), value);
        }
        if let Some(label) = self.label()
            && digits(label).len() >= 14
            && about.same_stamp(label) == Some(false)
        {
            told.disagree(format!("its label is `{label}`, which is another backup"));
        }
        told
    }
}

/// `2024-01-15 02:00:05 UTC` as RFC 3339; other zones' short names mean different things to different people.
fn utc(text: &str) -> Option<String> {
    let (time, zone) = text.rsplit_once(' ')?;
    if !matches!(zone, "UTC" | "GMT" | "Etc/UTC") {
        return None;
    }
    let at = chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(at.and_utc().to_rfc3339())
}

/// `backup_label_TS`: one line that names an incremental, and no log with it.
#[derive(Debug)]
pub(super) struct LabelStamp(String);

impl LabelStamp {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(lossy(bytes).lines().next().unwrap_or_default().trim().to_owned())
    }

    pub(super) fn about(&self, about: &About<'_>, log_segments: u64) -> Told {
        let mut told = Told::default();
        told.fact("incremental", &self.0);
        if log_segments == 0 {
            told.disagree(format!(
                "it marks an incremental (`{}`), yet the archive beside it holds no log segment",
                crate::catalog::sighting::base_name(about.sidecar)
            ));
        }
        told
    }
}
