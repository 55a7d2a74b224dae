//! Readers for the small words of the file: identifiers, zones, paths, addresses, references.

use crate::located::{Item, Located, Place, Problem, Read, nearest};
use std::path::{Path, PathBuf};

/// Letters, digits, `.`, `_` and `-`, beginning with a letter or digit: fit for file names, metrics and
/// command lines without quoting.
#[derive(Clone, Debug)]
pub(super) struct Identifier(pub String);

impl Read for Identifier {
    fn read(item: &Item<'_>) -> Option<Self> {
        let text = String::read(item)?;
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let starts = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !starts || !text.bytes().all(fits) || text.len() > 64 {
            return item.refuse("be 1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit");
        }
        Some(Self(text))
    }
}

/// One line of text with something in it.
#[derive(Clone, Debug)]
pub(super) struct Line(pub String);

impl Read for Line {
    fn read(item: &Item<'_>) -> Option<Self> {
        let text = String::read(item)?;
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return item.refuse("be one line of text");
        }
        Some(Self(text))
    }
}

/// A zone of the IANA database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zone(pub chrono_tz::Tz);

impl Read for Zone {
    fn read(item: &Item<'_>) -> Option<Self> {
        let text = String::read(item)?;
        if let Ok(zone) = text.parse() {
            return Some(Self(zone));
        }
        let names = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let city = |name: &str| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&text));
        let near = names().find(|name| city(name)).or_else(|| nearest(&text, names()));
        let problem = Problem::at(&item.place, format!("there is no time zone `{text}`"));
        item.report(problem.suggest(near, "write a name such as `Europe/Berlin` or `UTC`"));
        None
    }
}

/// `http://…` or `https://…` without a user and password in it.
#[derive(Clone, Debug)]
pub(super) struct HttpAddress(pub String);

impl Read for HttpAddress {
    fn read(item: &Item<'_>) -> Option<Self> {
        let text = String::read(item)?;
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        match host {
            Some(host) if host.contains('@') => item.refuse("hold no user or password; name them apart"),
            Some(host) if !host.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                Some(Self(text))
            }
            _ => item.refuse("be an address that begins with http:// or https://"),
        }
    }
}

/// A path, relative ones made to begin at `base`, the folder of the configuration file.
pub(super) fn path_below(base: &Path, item: &Item<'_>) -> Option<PathBuf> {
    let path = PathBuf::read(item)?;
    if path.starts_with("~") {
        let help = "`~` is not expanded here, because services and root read this file too";
        item.report(Problem::at(&item.place, "the path begins with `~`").help(format!("{help}; write it out")));
        return None;
    }
    Some(base.join(path).components().collect())
}

/// Names given out in one kind of table, so that a second one and a dangling reference are found.
#[derive(Debug)]
pub(super) struct Names {
    /// `store`, `server`…
    kind: &'static str,
    known: Vec<(String, Place)>,
}

impl Names {
    pub fn new(kind: &'static str) -> Self {
        Self { kind, known: Vec::new() }
    }

    /// Takes the `id` of a table. Names count even where the rest of their table is wrong: references to
    /// them do not dangle.
    pub fn define(&mut self, fields: &mut crate::located::Fields<'_>) -> Option<String> {
        self.define_as("id", fields)
    }

    /// The same, where the table calls it otherwise.
    pub fn define_as(&mut self, key: &'static str, fields: &mut crate::located::Fields<'_>) -> Option<String> {
        let Located { value: Identifier(name), place } = fields.required(key)?;
        if let Some((_, first)) = self.known.iter().find(|(known, _)| *known == name) {
            let problem = Problem::at(&place, format!("there are two {}s `{name}`", self.kind));
            fields.report(problem.also(first, "first named here"));
        }
        self.known.push((name.clone(), place));
        Some(name)
    }

    /// Checks a reference.
    pub fn refer(&self, item: &Item<'_>) -> Option<String> {
        let name = Located::<String>::read(item)?;
        match self.missing(&name) {
            None => Some(name.value),
            Some(problem) => {
                item.report(problem);
                None
            }
        }
    }

    /// What is wrong with a reference, for one that can be checked only later.
    pub fn missing(&self, reference: &Located<String>) -> Option<Problem> {
        let name = &reference.value;
        if self.known.iter().any(|(known, _)| known == name) {
            return None;
        }
        let near = nearest(name, self.known.iter().map(|(known, _)| known.as_str()));
        let all: Vec<String> = self.known.iter().map(|(known, _)| format!("`{known}`")).collect();
        let otherwise = if all.is_empty() {
            format!("the file names no {}", self.kind)
        } else {
            format!("the {}s are {}", self.kind, all.join(", "))
        };
        let problem = Problem::at(&reference.place, format!("there is no {} `{name}`", self.kind));
        Some(problem.suggest(near, otherwise))
    }
}
