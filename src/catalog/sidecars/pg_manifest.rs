//! PostgreSQL's `backup_manifest`: every file of a base backup with its size, and the log it needs.

use super::told::{About, Told};
use crate::catalog::window::{START_LSN, START_TIMELINE, STOP_LSN};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(rename = "PostgreSQL-Backup-Manifest-Version")]
    version: u32,
    #[serde(rename = "System-Identifier", default)]
    system: Option<u64>,
    #[serde(rename = "Files", default)]
    files: Vec<File>,
    #[serde(rename = "WAL-Ranges", default)]
    ranges: Vec<Range>,
    #[serde(rename = "Manifest-Checksum", default)]
    checksum: Option<String>,
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(rename = "Path", default)]
    path: Option<String>,
    #[serde(rename = "Encoded-Path", default)]
    encoded: Option<String>,
    #[serde(rename = "Size")]
    size: u64,
}

#[derive(Debug, Deserialize)]
struct Range {
    #[serde(rename = "Timeline")]
    timeline: u32,
    #[serde(rename = "Start-LSN")]
    start: String,
    #[serde(rename = "End-LSN")]
    end: String,
}

#[derive(Debug)]
pub(super) struct PgManifest {
    manifest: Manifest,
    /// Whether its own checksum is the checksum of its own bytes.
    sound: bool,
}

impl PgManifest {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|error| format!("it is cut off or damaged: {error}"))?;
        // The checksum covers everything before the line that states it.
        let key = b"\"Manifest-Checksum\"";
        let at = bytes.windows(key.len()).rposition(|window| window == key).unwrap_or(bytes.len());
        let own = hex::encode(Sha256::digest(&bytes[..at]));
        let sound = manifest.checksum.as_deref().is_some_and(|stated| stated.eq_ignore_ascii_case(&own));
        Ok(Self { manifest, sound })
    }

    pub(super) fn about(&self, about: &About<'_>) -> Told {
        let mut told = Told::default();
        let manifest = &self.manifest;
        told.fact("version", manifest.version);
        if !(1..=2).contains(&manifest.version) {
            told.warnings.push("its version is not known here; nothing in it was checked".to_owned());
            return told;
        }
        if let Some(system) = manifest.system {
            told.fact("system_identifier", system);
        }
        told.fact("files", manifest.files.len());
        told.fact("bytes", manifest.files.iter().fold(0_u64, |sum, f| sum.saturating_add(f.size)));
        if let (Some(first), Some(last)) = (manifest.ranges.first(), manifest.ranges.last()) {
            told.fact(START_TIMELINE, last.timeline);
            told.fact(START_LSN, &first.start);
            told.fact(STOP_LSN, &last.end);
        }
        if !self.sound {
            told.disagree("its own checksum does not fit its bytes");
            return told;
        }
        match about.members {
            // In the tar form its files lie inside the archives; being there, it says that the backup ended.
            Some(members) if members.is_tar_base() => told.complete = Some(true),
            Some(_) => told.expected = self.expected(about.path, &mut told.warnings),
            None => {}
        }
        told
    }

    fn expected(&self, folder: &str, warnings: &mut Vec<String>) -> Vec<(String, u64)> {
        let mut expected = Vec::with_capacity(self.manifest.files.len());
        let mut unread = 0_usize;
        for file in &self.manifest.files {
            let decoded = || String::from_utf8(hex::decode(file.encoded.as_deref()?).ok()?).ok();
            match file.path.clone().or_else(decoded) {
                Some(path) if !path.starts_with('/') && !path.split('/').any(|part| part == "..") => {
                    expected.push((format!("{folder}{path}"), file.size));
                }
                _ => unread += 1,
            }
        }
        if unread > 0 {
            warnings.push(format!("{unread} of its paths are not names that can be looked for"));
        }
        expected
    }
}
