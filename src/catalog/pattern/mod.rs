//! Naming patterns: what a source's `match` says about the names of its backups.
//!
//! | written | means |
//! |---|---|
//! | text | itself; `{{` and `}}` are braces |
//! | `{time:%Y%m%d_%H%M%S}` | a time stamp (`{time}` is this very form; `%s` is epoch seconds) |
//! | `{id}`, `{any-name}` | a piece of one path part, kept as a label and part of the identity |
//! | `{name:a\|b}` | one of these texts, kept as a label |
//! | `{alias:latest\|previous}`, `{moving}` | a moving name: points at a backup that has a name of its own |
//! | `*`, `**` | anything within one path part, anything across parts |
//! | `/` at the end | the folder is the backup, with everything in it; `/` alone is the whole store |

mod matching;
mod parse;
mod stamp;
mod zone;

pub use stamp::NameTime;
pub use zone::Reading;

use stamp::Field;
use std::fmt;

/// A compiled naming pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    tokens: Vec<Token>,
    captures: Vec<String>,
    folder: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(String),
    /// `group` counts the `{time}`s of a pattern: later ones overrule earlier ones.
    Field {
        field: Field,
        group: u8,
    },
    Any {
        capture: Option<usize>,
        least: usize,
        across: bool,
    },
    OneOf {
        capture: Option<usize>,
        choices: Vec<String>,
    },
}

/// A mistake in a pattern, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// Byte offset in the pattern's text.
    pub at: usize,
    pub message: String,
    pub help: String,
}

/// What a pattern read in a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matched<'p, 'n> {
    pub captures: Vec<(&'p str, &'n str)>,
    pub time: Option<NameTime>,
    /// The text of the last time stamp.
    pub stamp: Option<&'n str>,
    /// The text of an earlier time stamp in the same name that says something else.
    pub other_stamp: Option<&'n str>,
    /// The moving part, if the name is a moving one.
    pub alias: Option<&'n str>,
    /// Length of the folder's name with its slash, if the folder is the backup.
    pub folder: Option<usize>,
}

impl Pattern {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names folders, whose members fold into one backup.
    pub fn is_folder(&self) -> bool {
        self.folder
    }

    /// Whether it names things that point at other things.
    pub fn is_moving(&self) -> bool {
        self.tokens.iter().any(|t| matches!(t, Token::OneOf { capture: None, .. }))
    }

    pub fn has_time(&self) -> bool {
        self.tokens.iter().any(|t| matches!(t, Token::Field { .. }))
    }

    /// The text that every matching name starts with.
    pub fn prefix(&self) -> &str {
        match self.tokens.first() {
            Some(Token::Literal(text)) => text,
            _ => "",
        }
    }

    /// Bytes of literal text: of two patterns that fit one name, the one with more is meant.
    pub fn weight(&self) -> usize {
        let literal = |t: &Token| match t {
            Token::Literal(text) => text.len(),
            Token::Field { .. } => 2,
            _ => 0,
        };
        self.tokens.iter().map(literal).sum()
    }

    /// Whether the last path part is pinned down by text or time, and not only by free parts.
    pub fn names_its_last_part(&self) -> bool {
        let mut named = false;
        for token in &self.tokens {
            match token {
                Token::Literal(text) => match text.rfind('/') {
                    Some(slash) => named = text[slash..].bytes().any(|b| b.is_ascii_alphanumeric()),
                    None => named |= text.bytes().any(|b| b.is_ascii_alphanumeric()),
                },
                Token::Field { .. } | Token::OneOf { .. } => named = true,
                Token::Any { .. } => {}
            }
        }
        named
    }

    /// A name that the pattern matches, taken at `at` (local time of its zone); free parts are filled
    /// with the capture's own name.
    pub fn example(&self, at: chrono::NaiveDateTime) -> String {
        self.write(Some(at))
    }

    /// The one name that something made at `at` (local time of its zone) has; `None` where the pattern leaves
    /// a part open, gives no time, or means moving names or folders.
    pub fn name_at(&self, at: chrono::NaiveDateTime) -> Option<String> {
        (!self.folder).then(|| self.settled_at(at)).flatten()
    }

    /// The same for the one folder, with the slash at its end.
    pub fn folder_at(&self, at: chrono::NaiveDateTime) -> Option<String> {
        self.folder.then(|| self.settled_at(at)).flatten()
    }

    fn settled_at(&self, at: chrono::NaiveDateTime) -> Option<String> {
        let settled = |token: &Token| match token {
            Token::Literal(_) => true,
            Token::Field { field, .. } => !matches!(field, Field::Offset),
            Token::Any { .. } | Token::OneOf { .. } => false,
        };
        (self.has_time() && self.tokens.iter().all(settled)).then(|| self.write(Some(at)))
    }

    /// The same with nothing where times are.
    pub(super) fn without_times(&self) -> String {
        self.write(None)
    }

    fn write(&self, at: Option<chrono::NaiveDateTime>) -> String {
        let mut name = String::new();
        for token in &self.tokens {
            match token {
                Token::Literal(text) => name.push_str(text),
                Token::Field { field, .. } => at.into_iter().for_each(|at| field.write(at, &mut name)),
                Token::Any { capture: Some(index), .. } => name.push_str(&self.captures[*index]),
                Token::Any { .. } => name.push('x'),
                Token::OneOf { choices, .. } => name.push_str(choices.first().map_or("", String::as_str)),
            }
        }
        name
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
