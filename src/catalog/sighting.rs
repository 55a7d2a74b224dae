//! One artefact seen in one store: what becomes a copy of a backup.

use super::pattern::Reading;
use super::sidecars::Loose;
use crate::model::backup::{BackupKind, ChainLink, Copy, Labels, Sidecar, TimeSource};
use crate::model::content::Content;
use crate::model::id::AssetId;
use crate::model::time::Timestamp;
use crate::stores::ObjectMeta;
use std::sync::Arc;

/// Members of a folder that are remembered by name: enough to tell base backups from trees.
pub(super) const REMEMBERED: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Sighting {
    pub asset: AssetId,
    pub kind: BackupKind,
    /// Position of the source within the store's sources.
    pub source: usize,
    pub tag: Arc<str>,
    pub reading: Reading,
    pub time_source: TimeSource,
    pub stamp: Option<String>,
    /// Captured parts of the name, by name.
    pub captures: Vec<(String, String)>,
    /// The moving part of the name, if it is a moving one.
    pub alias: Option<String>,
    pub copy: Copy,
    pub members: Option<Box<Members>>,
    pub complete: Option<bool>,
    pub because: Vec<String>,
    pub content: Option<Content>,
    pub encrypted: Option<bool>,
    pub chain: Option<Box<ChainLink>>,
    pub sidecars: Vec<Sidecar>,
    /// Marks beside the captured parts.
    pub labels: Labels,
}

/// What is remembered of a folder's members.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// Name below the folder and size; at most [`REMEMBERED`], members of the folder itself only.
    pub top: Vec<(String, u64)>,
    /// Whether `top` had to leave something out.
    pub more: bool,
    pub required_seen: Vec<bool>,
    pub sidecars: Vec<Loose>,
    /// Log segments lie directly in it.
    pub log_segments: u64,
}

impl Members {
    pub(super) fn has(&self, name: &str) -> bool {
        self.top.iter().any(|(n, _)| n == name)
    }

    /// A tar-format base backup: its `base.tar`, in whatever compression.
    pub(super) fn is_tar_base(&self) -> bool {
        self.top.iter().any(|(n, _)| n.starts_with("base.tar"))
    }

    pub(super) fn is_base(&self) -> bool {
        self.is_tar_base() || self.has("backup_manifest") || self.has("PG_VERSION")
    }

    /// Whether the log from start to end of the backup lies in the backup itself.
    pub(super) fn brings_its_log(&self) -> bool {
        self.top.iter().any(|(n, _)| n.starts_with("pg_wal.tar"))
    }
}

impl Sighting {
    pub(super) fn name(&self) -> &str {
        base_name(&self.copy.path)
    }

    pub(super) fn is_folder(&self) -> bool {
        self.members.is_some()
    }
}

/// The last part of a name, without the slash that ends a folder's.
pub(super) fn base_name(path: &str) -> &str {
    let path = path.strip_suffix('/').unwrap_or(path);
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Everything up to the last part, with the slash; empty at the root.
pub(super) fn folder_of(path: &str) -> &str {
    let bare = path.strip_suffix('/').unwrap_or(path);
    bare.rfind('/').map_or("", |slash| &path[..=slash])
}

pub(super) fn copy_of(store: &crate::model::id::StoreId, meta: &ObjectMeta) -> Copy {
    Copy {
        store: store.clone(),
        path: meta.name.clone(),
        size_bytes: meta.size,
        modified_at: meta.modified,
        storage_class: meta.storage_class.clone(),
        etag: meta.etag.clone(),
        objects: 1,
    }
}

pub(super) const COMPRESSIONS: [&str; 8] = [".gz", ".zst", ".zstd", ".bz2", ".xz", ".lz4", ".z", ".lzma"];
const SEALS: [&str; 5] = [".gpg", ".pgp", ".asc", ".age", ".enc"];

/// What an artefact is called without its time stamp, and what it is by its ending: `redis` and `rdb`
/// of `redis_20240115_020000.rdb.gz`. A folder's family is `tree`.
pub(super) fn stem_and_family(path: &str) -> (String, String) {
    let mut name = base_name(path);
    if path.ends_with('/') || path.is_empty() {
        let letters = |part: &str| part.chars().any(char::is_alphabetic);
        let named = path.rsplit('/').find(|part| letters(part)).unwrap_or("");
        return (letters_of(named), "tree".to_owned());
    }
    while let Some(shorter) = SEALS.iter().chain(&COMPRESSIONS).find_map(|s| name.strip_suffix(s)) {
        name = shorter;
    }
    match name.rsplit_once('.') {
        Some((stem, family)) if family.chars().any(char::is_alphabetic) => (letters_of(stem), family.to_lowercase()),
        _ => (letters_of(name), String::new()),
    }
}

/// The words of a name: what has a letter in it.
fn letters_of(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().any(char::is_alphabetic));
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

/// `text` as a part of an identifier: short, printable, without surprises.
pub(super) fn word(text: &str) -> String {
    const LONGEST: usize = 24;
    let kept: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' }).collect();
    let short: String = kept.chars().take(LONGEST).collect();
    let short = short.trim_matches('-');
    if short == text {
        short.to_owned()
    } else {
        format!("{short}{}{}", if short.is_empty() { "" } else { "-" }, mark(text))
    }
}

/// Four hexadecimal digits that stand for a text.
pub(super) fn mark(text: &str) -> String {
    use sha2::Digest;
    hex::encode(&sha2::Sha256::digest(text.as_bytes())[..2])
}

/// The newer of two times that may be unknown.
pub(super) fn newest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.max(b)
}
