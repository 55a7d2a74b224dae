//! A table from which keys are taken one by one.

use super::item::{Item, Read};
use super::nearest::nearest;
use super::place::{Located, Place};
use super::problem::Problem;
use super::read::Sink;
use toml::de::{DeTable, DeValue};

/// The keys of one table. Whoever reads it asks for each key that may be there; the rest is unknown.
#[derive(Debug)]
pub struct Fields<'d> {
    table: &'d DeTable<'d>,
    /// Where the table begins: its header, its braces; the whole file for the root.
    pub place: Place,
    name: String,
    asked: Vec<&'static str>,
    sink: &'d Sink,
}

impl<'d> Fields<'d> {
    pub(super) fn new(table: &'d DeTable<'d>, place: Place, name: String, sink: &'d Sink) -> Self {
        Self { table, place, name, asked: Vec::new(), sink }
    }

    pub fn report(&self, problem: Problem) {
        self.sink.report(problem);
    }

    /// The value of a key that may be absent.
    pub fn take(&mut self, key: &'static str) -> Option<Item<'d>> {
        self.asked.push(key);
        let (_, value) = self.table.get_key_value(key)?;
        Some(Item { value: value.get_ref(), place: value.span().into(), name: format!("`{key}`"), sink: self.sink })
    }

    /// The value of a key that must be there; its absence is reported.
    pub fn need(&mut self, key: &'static str) -> Option<Item<'d>> {
        let item = self.take(key);
        if item.is_none() {
            self.report(Problem::at(&self.place, format!("{} lacks `{key}`", self.name)));
        }
        item
    }

    pub fn required<T: Read>(&mut self, key: &'static str) -> Option<T> {
        self.need(key)?.read()
    }

    /// Absent, or wrong and reported, both give `None`: a file with a reported problem is never used.
    pub fn optional<T: Read>(&mut self, key: &'static str) -> Option<T> {
        self.take(key)?.read()
    }

    /// One table under `key`, or `None` where it is absent.
    pub fn table<T>(&mut self, key: &'static str, build: impl FnOnce(&mut Fields<'d>) -> Option<T>) -> Option<T> {
        let mut item = self.take(key)?;
        item.name = format!("[{key}]");
        item.table(build)
    }

    /// Every table of a list of tables (`[[key]]`); what cannot be built is reported and left out.
    pub fn tables<T>(&mut self, key: &'static str, mut build: impl FnMut(&mut Fields<'d>) -> Option<T>) -> Vec<T> {
        let Some(item) = self.take(key) else { return Vec::new() };
        let Some(items) = item.list() else { return Vec::new() };
        let built = items.into_iter().map(|mut item| {
            item.name = format!("[[{key}]]");
            item.table(&mut build)
        });
        built.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    /// The entries of the table under `key`, whose names are free, in the order of the file.
    pub fn entries(&mut self, key: &'static str) -> Vec<(Located<String>, Item<'d>)> {
        self.take(key).and_then(|item| item.entries()).unwrap_or_default()
    }

    /// Asks for keys that are known here but mean nothing in this combination: each one present is
    /// reported with `why` instead of as unknown.
    pub fn forbid(&mut self, keys: &[&'static str], why: &str) {
        for key in keys {
            self.asked.push(key);
            if let Some((found, _)) = self.table.get_key_value(*key) {
                let place = found.span().into();
                self.report(Problem::at(&place, format!("`{key}` has no place here: {why}")));
            }
        }
    }

    /// The place of a key's name, where it is in the table.
    pub fn key_place(&self, key: &str) -> Option<Place> {
        self.table.get_key_value(key).map(|(found, _)| found.span().into())
    }

    pub(super) fn finish(self) {
        for (key, value) in self.table {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let near = nearest(name, self.asked.iter().copied());
            let place = key.span().into();
            let known = self.asked.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let what = match value.get_ref() {
                DeValue::Table(_) => "table",
                _ => "key",
            };
            let problem = Problem::at(&place, format!("{} has no {what} `{name}`", self.name));
            self.report(problem.suggest(near, format!("it can hold {known}")));
        }
    }
}
