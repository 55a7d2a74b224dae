//! Everything that is wrong with one file, and how it is shown.

use super::place::Place;
use crate::model::text::escaped;
use std::fmt::{self, Write as _};
use unicode_width::UnicodeWidthStr;

/// One thing that is wrong, where, and what would be right.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) also: Option<(Place, String)>,
}

impl Problem {
    /// The message is escaped when it is shown; values from the file may be put in as they are.
    pub fn at(place: &Place, message: impl Into<String>) -> Self {
        Self { place: *place, message: message.into(), help: None, also: None }
    }

    /// What would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// `did you mean …?` where there is a near name; otherwise `otherwise`, unless it is empty.
    #[must_use]
    pub fn suggest(mut self, near: Option<&str>, otherwise: impl Into<String>) -> Self {
        let otherwise = otherwise.into();
        self.help = match near {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None => (!otherwise.is_empty()).then_some(otherwise),
        };
        self
    }

    /// A second place that belongs to it, with what is there: `first named here`.
    #[must_use]
    pub fn also(mut self, place: &Place, what: impl Into<String>) -> Self {
        self.also = Some((*place, what.into()));
        self
    }
}

/// All problems of one file, in the order of their lines. Its text is ready for a terminal: one block per
/// problem with file, line, caret and help, everything untrusted escaped.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Problems {
    file: String,
    text: String,
    found: Vec<Problem>,
}

/// A line of the file as it is shown, and where the caret stands under it.
struct Snippet {
    line: usize,
    column: usize,
    shown: String,
    indent: usize,
    width: usize,
    secret: bool,
}

impl Problems {
    pub(super) fn new(file: &str, text: &str, mut found: Vec<Problem>) -> Self {
        found.sort_by_key(|p| if p.place.is_whole() { 0 } else { p.place.start + 1 });
        Self { file: file.to_owned(), text: text.to_owned(), found }
    }

    /// The file could not be read at all.
    pub fn unreadable(file: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(file, "", vec![Problem::at(&Place::WHOLE, message).help(help)])
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    pub fn len(&self) -> usize {
        self.found.len()
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `(line, column, message, help)` of each problem, escaped; line and column from 1, absent where the
    /// problem belongs to the file as a whole.
    pub fn rows(&self) -> impl Iterator<Item = (Option<(usize, usize)>, String, Option<String>)> + '_ {
        self.found.iter().map(|problem| {
            let at = self.snippet(problem.place).map(|s| (s.line, s.column));
            (at, escaped(&problem.message).into_owned(), problem.help.as_deref().map(|h| escaped(h).into_owned()))
        })
    }

    /// Each problem as one line of text: `file:line:column: message (help)`.
    pub fn lines(&self) -> Vec<String> {
        let file = escaped(&self.file);
        self.rows()
            .map(|(at, message, help)| {
                let at = at.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
                let help = help.map(|help| format!(" ({help})")).unwrap_or_default();
                format!("{file}{at}: {message}{help}")
            })
            .collect()
    }

    fn snippet(&self, place: Place) -> Option<Snippet> {
        if place.is_whole() {
            return None;
        }
        let text = &self.text;
        let start = floor_boundary(text, place.start.min(text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor_boundary(text, place.end.clamp(start, line_end));
        let line_text = text[line_start..line_end].trim_end_matches('\r');
        let (before, marked) = (&text[line_start..start], &text[start..end]);

        let safe_before = escaped(before);
        let lead = tail_columns(&safe_before, Self::LEAD);
        let cut = lead.len() < safe_before.len();
        let rest = line_text.get(before.len()..).unwrap_or_default();
        let mut shown = format!("{}{lead}{}", if cut { "…" } else { "" }, escaped(rest));
        if shown.chars().count() > Self::WIDTH {
            shown = shown.chars().take(Self::WIDTH).chain(['…']).collect();
        }
        let indent = lead.width() + usize::from(cut);
        let width = escaped(marked).width().max(1).min(shown.width().saturating_sub(indent).max(1));
        let line = text[..start].matches('\n').count() + 1;
        let secret = may_hold_secret(line_text);
        Some(Snippet { line, column: before.chars().count() + 1, shown, indent, width, secret })
    }

    /// Most columns of a line shown before the caret, and in all.
    const LEAD: usize = 60;
    const WIDTH: usize = 110;

    fn block(&self, out: &mut String, place: Place, mark: char, note: &str) -> fmt::Result {
        let file = escaped(&self.file);
        let Some(at) = self.snippet(place) else {
            return writeln!(out, "  --> {file}");
        };
        let gutter = at.line.to_string().len();
        if at.secret {
            writeln!(out, "{:gutter$}--> {file}:{}:{}", "", at.line, at.column)?;
            return writeln!(out, "{:gutter$} | (not shown: the line may hold a secret)", "");
        }
        let carets = mark.to_string().repeat(at.width);
        let note = if note.is_empty() { String::new() } else { format!(" {}", escaped(note)) };
        writeln!(out, "{:gutter$}--> {file}:{}:{}", "", at.line, at.column)?;
        writeln!(out, "{:gutter$} |", "")?;
        writeln!(out, "{} | {}", at.line, at.shown)?;
        writeln!(out, "{:gutter$} | {:indent$}{carets}{note}", "", "", indent = at.indent)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        for problem in &self.found {
            if !out.is_empty() {
                out.push('\n');
            }
            writeln!(out, "error: {}", escaped(&problem.message))?;
            self.block(&mut out, problem.place, '^', "")?;
            if let Some((place, what)) = &problem.also {
                self.block(&mut out, *place, '-', what)?;
            }
            if let Some(help) = &problem.help {
                writeln!(out, "  = help: {}", escaped(help))?;
            }
        }
        f.write_str(out.trim_end_matches('\n'))
    }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Whether a line gives a quoted value to a key that sounds like a secret. Problems are copied into tickets
/// and logs, and people write passwords where a reference belongs, so such a line stays out of them.
fn may_hold_secret(line: &str) -> bool {
    let line = line.to_lowercase();
    let assigned =
        |at: usize| line[at..].split_once('=').is_some_and(|(_, value)| value.trim_start().starts_with(['"', '\'']));
    ["pass", "secret", "token", "credential", "_key"].iter().any(|word| line.find(word).is_some_and(assigned))
}

/// The end of `text` that fits into `columns`.
fn tail_columns(text: &str, columns: usize) -> &str {
    let mut used = 0;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used > columns {
            break;
        }
        from = at;
    }
    &text[from..]
}
