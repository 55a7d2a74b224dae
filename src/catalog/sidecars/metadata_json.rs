//! `metadata.json`, written beside a full or incremental after its upload: kind, stamp, size, base.

use super::told::{About, Told, lossy};
use crate::model::backup::BackupKind;
use serde_json::{Map, Value};

/// What the size may be off by: directory entries and the file itself are counted differently by tool.
const SLACK: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct Metadata(Map<String, Value>);

impl Metadata {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        match serde_json::from_str(&lossy(bytes)) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err("it is JSON, but not an object".to_owned()),
            Err(error) => Err(format!("it is not JSON: {error}")),
        }
    }

    pub(super) fn about(&self, about: &About<'_>) -> Told {
        let mut told = Told::default();
        for (key, value) in &self.0 {
            match value {
                Value::String(text) => told.fact(key, text),
                Value::Number(_) | Value::Bool(_) => told.fact(key, value),
                Value::Null => told.fact(key, ""),
                Value::Array(list) => told.fact(key, format!("[{} entries]", list.len())),
                Value::Object(map) => told.fact(key, format!("{{{} entries}}", map.len())),
            }
        }
        let text = |key: &str| self.0.get(key).and_then(Value::as_str);
        if let Some(stamp) = text("timestamp")
            && about.same_stamp(stamp) == Some(false)
        {
            told.disagree(format!("its timestamp is {stamp}, the name says {}", about.stamp.unwrap_or_default()));
        }
        if let Some(kind) = text("backup_type").and_then(kind_of)
            && kind != about.kind
        {
            told.disagree(format!("it calls this {kind}, the configuration calls it {}", about.kind));
        }
        if let Some(path) = text("s3_path") {
            let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            if last != about.name() && about.same_stamp(last) == Some(false) {
                told.disagree(format!("it says that it lies at `{path}`"));
            }
        }
        told.base = text("base_backup").map(str::to_owned).filter(|b| !b.is_empty());
        self.size(about, &mut told);
        told
    }

    fn size(&self, about: &About<'_>, told: &mut Told) {
        let Some(stated) = self.0.get("size_bytes") else {
            return;
        };
        let Some(stated) = stated.as_u64().or_else(|| stated.as_str()?.trim().parse().ok()) else {
            told.warnings.push("its size_bytes is not a number".to_owned());
            return;
        };
        let own = if about.members.is_some() { about.sidecar_size } else { 0 };
        let found = about.size.saturating_sub(own);
        if stated.abs_diff(found) > SLACK.max(stated / 100) {
            told.disagree(format!("it states {stated} bytes, {found} are there"));
        }
    }
}

fn kind_of(text: &str) -> Option<BackupKind> {
    Some(match text.to_ascii_lowercase().as_str() {
        "full" => BackupKind::Full,
        "incremental" | "incr" => BackupKind::Incremental,
        "differential" | "diff" => BackupKind::Differential,
        _ => return None,
    })
}
