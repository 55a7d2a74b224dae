//! `backup_catalog.csv`: three columns without a head, one row per dump that ended well.
//!
//! Rows are never removed when a dump is pruned, and the label is not always the file's name: rows are
//! found by name, else by time stamp, else by size.

use super::told::{About, Told, digits, lossy};
use std::collections::HashMap;

const ROWS: usize = 200_000;

#[derive(Debug, Default)]
pub(super) struct CatalogCsv {
    rows: Vec<Row>,
    by_label: HashMap<String, usize>,
    by_stamp: HashMap<String, usize>,
    warnings: Vec<String>,
}

#[derive(Debug)]
struct Row {
    label: String,
    ended: String,
    size: Option<u64>,
}

impl CatalogCsv {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut csv = Self::default();
        let mut bad = 0_usize;
        for line in lossy(bytes).lines().map(str::trim).filter(|l| !l.is_empty()).take(ROWS) {
            let columns: Vec<&str> = line.split(',').map(|c| c.trim().trim_matches('"')).collect();
            let [label, ended, size] = columns[..] else {
                bad += 1;
                continue;
            };
            let index = csv.rows.len();
            // A later row is the newer truth.
            csv.by_label.insert(label.to_owned(), index);
            csv.by_stamp.insert(digits(label), index);
            csv.rows.push(Row { label: label.to_owned(), ended: ended.to_owned(), size: size.parse().ok() });
        }
        if bad > 0 {
            csv.warnings.push(format!("{bad} lines are not of three columns"));
        }
        csv
    }

    pub(super) fn about(&self, about: &About<'_>) -> Told {
        let mut told = Told { warnings: self.warnings.clone(), ..Told::default() };
        told.fact("rows", self.rows.len());
        let by_name = self.by_label.get(about.name());
        let by_stamp = || self.by_stamp.get(&digits(about.stamp?));
        let Some(row) = by_name.or_else(by_stamp).copied().or_else(|| self.by_size(about)).map(|i| &self.rows[i])
        else {
            told.disagree("has no row for this backup: its run may not have ended well");
            return told;
        };
        told.fact("label", &row.label);
        told.fact("ended_at", &row.ended);
        if row.label != about.name() {
            told.disagree(format!(
                "label mismatch: its row calls this `{}`, the object is `{}`",
                row.label,
                about.name()
            ));
        }
        match row.size {
            Some(size) => {
                told.fact("size_bytes", size);
                if size != about.size {
                    told.disagree(format!("it states {size} bytes, the object has {}", about.size));
                }
            }
            None => told.warnings.push("the size in its row is not a number".to_owned()),
        }
        if chrono::DateTime::parse_from_rfc3339(&row.ended).is_err() {
            told.warnings.push("the time in its row is not a time".to_owned());
        }
        told
    }

    /// A row with a stamp of its own is about another backup, however alike in size.
    fn by_size(&self, about: &About<'_>) -> Option<usize> {
        let free = |row: &Row| about.stamp.is_none() || digits(&row.label).len() < 8;
        let rows = self.rows.iter().enumerate();
        let mut fits = rows.filter(|(_, row)| row.size == Some(about.size) && about.size > 0 && free(row));
        fits.next().filter(|_| fits.next().is_none()).map(|(index, _)| index)
    }
}
