//! `backup_contents.txt`: the listing that `pg_restore --list` printed after the dump.

use super::told::{About, Told, lossy};

#[derive(Debug, Default)]
pub(super) struct Contents {
    head: Vec<(String, String)>,
    entries: u64,
    tables: u64,
}

impl Contents {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut contents = Self::default();
        for line in lossy(bytes).lines() {
            match line.strip_prefix(';') {
                Some(comment) => {
                    let comment = comment.trim();
                    let pair = comment
                        .split_once(": ")
                        .or_else(|| comment.strip_prefix("Archive created at ").map(|at| ("Archive created at", at)));
                    if let Some((key, value)) = pair.filter(|_| contents.head.len() < 20) {
                        contents.head.push((key.trim().to_owned(), value.trim().to_owned()));
                    }
                }
                None if line.contains("; ") => {
                    contents.entries += 1;
                    contents.tables += u64::from(line.contains(" TABLE DATA "));
                }
                None => {}
            }
        }
        contents
    }

    pub(super) fn about(&self, _: &About<'_>) -> Told {
        let mut told = Told::default();
        for (key, value) in &self.head {
            told.fact(key, value);
        }
        told.fact("listed entries", self.entries);
        told.fact("tables with data", self.tables);
        if self.entries == 0 {
            told.disagree("it lists nothing: the dump was empty or could not be read");
        }
        let stated = self.head.iter().find(|(key, _)| key == "TOC Entries").and_then(|(_, n)| n.parse::<u64>().ok());
        // The head counts entries that the list leaves out, never fewer.
        if stated.is_some_and(|stated| stated < self.entries) {
            told.disagree("it lists more entries than its own head counts");
        }
        told
    }
}
