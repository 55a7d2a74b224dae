//! `backup.log`: a line per success with date, file name and a size for people.

use super::told::{About, Told, lossy};
use crate::catalog::sighting::base_name;
use std::collections::HashMap;

/// The end of a log is what matters, in bytes.
pub(super) const TAIL: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Log {
    /// The last line that names a file.
    lines: HashMap<String, String>,
}

impl Log {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut lines = HashMap::new();
        for line in lossy(bytes).lines() {
            let file = |word: &&str| word.contains(['.', '_']) && word.bytes().any(|b| b.is_ascii_digit());
            for word in line.split([' ', '\t', ',', ';', '"', '\'', '(', ')']).filter(file) {
                lines.insert(base_name(word.trim_end_matches([':', '.'])).to_owned(), line.trim().to_owned());
            }
        }
        Self { lines }
    }

    /// What the log says of the backup. It is no register: a missing line is no disagreement.
    pub(super) fn about(&self, about: &About<'_>) -> Option<Told> {
        let line = self.lines.get(about.name())?;
        let mut told = Told::default();
        told.fact("line", line);
        if let Some(word) = ["error", "fail", "abort"].iter().find(|word| line.to_lowercase().contains(**word)) {
            told.disagree(format!("its line about this backup says `{word}`"));
        }
        Some(told)
    }
}
