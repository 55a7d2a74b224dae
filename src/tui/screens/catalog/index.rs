//! The rows of the catalog, sorted once and filtered on every key: one lower-case text holds what words are
//! looked for in, and a longer filter only narrows the rows that are left.

use super::query::{Term, narrows, parse};
use crate::catalog::Catalog;
use crate::model::backup::Backup;
use memchr::memmem::Finder;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    #[default]
    Taken,
    Asset,
    Size,
    Kind,
    Copies,
    Proof,
}

impl SortKey {
    const ALL: [SortKey; 6] =
        [SortKey::Taken, SortKey::Asset, SortKey::Size, SortKey::Kind, SortKey::Copies, SortKey::Proof];

    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|key| *key == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    pub const fn word(self) -> &'static str {
        match self {
            SortKey::Taken => "time",
            SortKey::Asset => "asset",
            SortKey::Size => "size",
            SortKey::Kind => "kind",
            SortKey::Copies => "copies",
            SortKey::Proof => "proof",
        }
    }
}

/// A line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Heading of a group: place of its first backup, and how many follow.
    Group { first: u32, count: u32 },
    /// Place in `Catalog::backups`.
    Backup(u32),
}

#[derive(Debug, Default)]
pub struct Index {
    catalog: Arc<Catalog>,
    /// What words are looked for in, all rows one after the other.
    text: String,
    /// Where each row begins in `text`, and its end behind the last.
    starts: Vec<usize>,
    /// All rows in the order of the sort.
    order: Vec<u32>,
    sort: SortKey,
    reverse: bool,
    grouped: bool,
    terms: Vec<Term>,
    /// Rows that fit, in the order of the sort.
    fitting: Vec<u32>,
    entries: Vec<Entry>,
}

impl Index {
    /// Takes a catalog; `false` if it is the one it has.
    pub fn load(&mut self, catalog: &Arc<Catalog>) -> bool {
        if Arc::ptr_eq(&self.catalog, catalog) && self.starts.len() == catalog.backups.len() + 1 {
            return false;
        }
        self.catalog = Arc::clone(catalog);
        self.text.clear();
        self.starts.clear();
        for backup in &catalog.backups {
            self.starts.push(self.text.len());
            push_row(&mut self.text, backup);
        }
        self.starts.push(self.text.len());
        self.resort();
        true
    }

    pub fn filter(&mut self, text: &str) {
        let terms = parse(text);
        if terms == self.terms {
            return;
        }
        let narrower = narrows(&self.terms, &terms);
        let fresh: Vec<Term> = terms.iter().filter(|term| !self.terms.contains(term) || !narrower).cloned().collect();
        if !narrower {
            self.fitting.clone_from(&self.order);
        }
        self.terms = terms;
        for term in &fresh {
            self.narrow(term);
        }
        self.regroup();
    }

    pub fn set_order(&mut self, sort: SortKey, reverse: bool, grouped: bool) {
        if (sort, reverse, grouped) != (self.sort, self.reverse, self.grouped) {
            (self.sort, self.reverse, self.grouped) = (sort, reverse, grouped);
            self.resort();
        }
    }

    pub fn order(&self) -> (SortKey, bool, bool) {
        (self.sort, self.reverse, self.grouped)
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Backups that fit the filter.
    pub fn fitting(&self) -> usize {
        self.fitting.len()
    }

    pub fn total(&self) -> usize {
        self.catalog.backups.len()
    }

    pub fn backup(&self, row: u32) -> Option<&Backup> {
        self.catalog.backups.get(row as usize)
    }

    fn row_text(&self, row: u32) -> &[u8] {
        let at = row as usize;
        &self.text.as_bytes()[self.starts[at]..self.starts[at + 1]]
    }

    fn narrow(&mut self, term: &Term) {
        let mut fitting = std::mem::take(&mut self.fitting);
        if term.column.is_some() {
            fitting.retain(|row| self.backup(*row).and_then(|backup| term.fits_column(backup)).unwrap_or(false));
        } else if fitting.len() * 2 > self.order.len() {
            let fits = self.rows_with(&term.value);
            fitting.retain(|row| fits[*row as usize] != term.not);
        } else {
            let finder = Finder::new(&term.value);
            fitting.retain(|row| finder.find(self.row_text(*row)).is_some() != term.not);
        }
        self.fitting = fitting;
    }

    /// Which rows hold the word, in one pass over the whole text.
    fn rows_with(&self, word: &str) -> Vec<bool> {
        let mut fits = vec![false; self.total()];
        let finder = Finder::new(word);
        let (mut row, mut from) = (0, 0);
        while let Some(found) = finder.find(&self.text.as_bytes()[from..]) {
            let at = from + found;
            while self.starts[row + 1] <= at {
                row += 1;
            }
            // Rows end in a line break and no word holds one, so a find never spans two rows.
            fits[row] = true;
            from = self.starts[row + 1];
        }
        fits
    }

    fn resort(&mut self) {
        let backups = &self.catalog.backups;
        let mut order: Vec<u32> = (0..backups.len() as u32).collect();
        let level = |backup: &Backup| backup.proof.as_ref().map(|proof| (proof.level, proof.outcome as u8));
        order.sort_by(|one, other| {
            let (one, other) = (&backups[*one as usize], &backups[*other as usize]);
            let by = match self.sort {
                SortKey::Taken => other.taken_at.cmp(&one.taken_at),
                SortKey::Asset => one.asset.cmp(&other.asset),
                SortKey::Size => other.size_bytes.cmp(&one.size_bytes),
                SortKey::Kind => one.kind.cmp(&other.kind),
                SortKey::Copies => other.copies.len().cmp(&one.copies.len()),
                SortKey::Proof => level(other).cmp(&level(one)),
            };
            let by = if self.reverse { by.reverse() } else { by };
            let group = if self.grouped { one.asset.cmp(&other.asset) } else { std::cmp::Ordering::Equal };
            group.then(by)
        });
        self.order = order;
        self.fitting.clone_from(&self.order);
        for term in std::mem::take(&mut self.terms) {
            self.narrow(&term);
            self.terms.push(term);
        }
        self.regroup();
    }

    fn regroup(&mut self) {
        if !self.grouped {
            self.entries = self.fitting.iter().map(|row| Entry::Backup(*row)).collect();
            return;
        }
        let asset = |row: u32| &self.catalog.backups[row as usize].asset;
        let mut entries = Vec::with_capacity(self.fitting.len() + 16);
        for group in self.fitting.chunk_by(|one, other| asset(*one) == asset(*other)) {
            entries.push(Entry::Group { first: group[0], count: group.len() as u32 });
            entries.extend(group.iter().map(|row| Entry::Backup(*row)));
        }
        self.entries = entries;
    }
}

/// The words of a row. Names from stores may hold line breaks; here they are blanks.
fn push_row(text: &mut String, backup: &Backup) {
    let mut push = |part: &str| {
        text.extend(part.chars().map(|c| if c == '\n' { ' ' } else { c }).flat_map(char::to_lowercase));
        text.push(' ');
    };
    push(backup.id.as_str());
    push(backup.asset.as_str());
    push(&backup.kind.to_string());
    push(&backup.taken_at.format("%Y-%m-%d").to_string());
    if let Some(content) = &backup.content {
        push(&content.to_string());
    }
    for copy in &backup.copies {
        push(copy.store.as_str());
        push(&copy.path);
    }
    push(&crate::tui::format::proof(backup.proof.as_deref()).0);
    if backup.complete == Some(false) {
        push("incomplete");
    }
    if backup.encrypted == Some(true) {
        push("encrypted");
    }
    for label in backup.labels.keys() {
        push(label);
    }
    text.push('\n');
}
