//! Reports of no fixed form: the log of a nightly verification, and what a recovery wrote of itself.

use super::told::{About, Told, digits, lossy};

/// Lines kept of a report that speak of trouble.
const TROUBLES: usize = 8;

#[derive(Debug)]
pub(super) struct Report {
    lines: Vec<String>,
}

impl Report {
    /// Of a log the last run counts: what stands from its last line that begins one.
    pub(super) fn verification(bytes: &[u8]) -> Self {
        let mut lines = filled(bytes);
        let begins = |line: &String| line.to_ascii_lowercase().contains("start");
        if let Some(last) = lines.iter().rposition(begins) {
            lines.drain(..last);
        }
        Self { lines }
    }

    pub(super) fn recovery(bytes: &[u8]) -> Self {
        Self { lines: filled(bytes) }
    }

    /// What the last verification found. A check that failed disagrees with the backup that it names; one
    /// that names none is only told, for it may speak of another.
    pub(super) fn verified(&self, about: &About<'_>) -> Told {
        let mut told = Told::default();
        if let (Some(first), Some(last)) = (self.lines.first(), self.lines.last()) {
            told.fact("began", first);
            told.fact("ended", last);
        }
        let failed: Vec<&String> = self.lines.iter().filter(|line| is_trouble(line)).collect();
        told.fact("checks that failed", failed.len());
        for line in failed.into_iter().take(TROUBLES) {
            if line.contains(about.name()) {
                told.disagree(format!("a verification says: {line}"));
            } else {
                told.warnings.push(format!("a verification says: {line}"));
            }
        }
        told
    }

    /// What a recovery says, where it names this backup.
    pub(super) fn recovered(&self, about: &About<'_>) -> Option<Told> {
        let stamp = about.stamp.map(digits).filter(|stamp| stamp.len() >= 8);
        let names = |line: &String| {
            line.contains(about.name()) || stamp.as_ref().is_some_and(|stamp| digits(line).contains(stamp.as_str()))
        };
        let naming = self.lines.iter().find(|line| names(line))?;
        let mut told = Told::default();
        told.fact("line", naming);
        for (key, value) in self.lines.iter().filter_map(|line| line.split_once(':')) {
            let key = key.trim();
            if !key.is_empty() && key.chars().count() <= 40 && !key.contains(|c: char| c.is_ascii_digit()) {
                told.fact(key, value.trim());
            }
        }
        for line in self.lines.iter().filter(|line| is_trouble(line)).take(TROUBLES) {
            told.warnings.push(format!("a recovery from it says: {line}"));
        }
        Some(told)
    }
}

fn filled(bytes: &[u8]) -> Vec<String> {
    lossy(bytes).lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Words of failure, unless a count of none or a denial stands with them.
fn is_trouble(line: &str) -> bool {
    let line = line.to_lowercase();
    let denied = ["0 fail", "0 error", "no error", "no fail", "without error", "failed: 0", "errors: 0", "failures: 0"];
    ["fail", "error", "corrupt", "✗", "❌"].iter().any(|word| line.contains(word))
        && !denied.iter().any(|phrase| line.contains(phrase))
}
