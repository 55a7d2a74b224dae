//! What a sidecar is asked about, and what it answers.

use crate::catalog::sighting::{Members, base_name};
use crate::model::backup::BackupKind;
use std::fmt;

/// Facts kept of one sidecar, and characters kept of one value.
const FACTS: usize = 64;
const VALUE: usize = 300;

/// A backup as far as sidecars can be held against it.
#[derive(Clone, Copy, Debug)]
pub(in crate::catalog) struct About<'a> {
    pub path: &'a str,
    pub kind: BackupKind,
    pub stamp: Option<&'a str>,
    pub size: u64,
    pub objects: u64,
    /// `None` for a single object.
    pub members: Option<&'a Members>,
    pub sidecar: &'a str,
    pub sidecar_size: u64,
}

impl About<'_> {
    pub(super) fn name(&self) -> &str {
        base_name(self.path)
    }

    /// Whether a text carries the same time stamp as the backup's name, however it is punctuated.
    pub(super) fn same_stamp(&self, text: &str) -> Option<bool> {
        let own = digits(self.stamp?);
        let other = digits(text);
        (own.len() >= 8 && other.len() >= own.len()).then(|| other.contains(&own))
    }
}

pub(in crate::catalog) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// What a sidecar says of one backup. All texts are raw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::catalog) struct Told {
    pub facts: Vec<(String, String)>,
    pub sha256: Option<String>,
    pub disagreements: Vec<String>,
    pub warnings: Vec<String>,
    /// Name of the backup that this one builds on.
    pub base: Option<String>,
    pub complete: Option<bool>,
    pub because: Vec<String>,
    /// Objects that must be there, by whole name and size.
    pub expected: Vec<(String, u64)>,
    /// And nothing besides these.
    pub exact: bool,
}

impl Told {
    pub(super) fn fact(&mut self, name: impl Into<String>, value: impl fmt::Display) {
        if self.facts.len() < FACTS {
            let name: String = name.into().chars().take(VALUE).collect();
            self.facts.push((name, value.to_string().chars().take(VALUE).collect()));
        }
    }

    pub(super) fn disagree(&mut self, what: impl Into<String>) {
        self.disagreements.push(what.into());
    }

    pub(super) fn incomplete(&mut self, why: impl Into<String>) {
        self.complete = Some(false);
        self.because.push(why.into());
    }
}

/// A UTF-8 text that may be partly broken, without a byte-order mark.
pub(super) fn lossy(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

/// Bytes of a file that may be gzipped, at most `limit` after opening.
pub(super) fn opened(bytes: &[u8], limit: u64) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut out)?;
    Ok(out)
}
