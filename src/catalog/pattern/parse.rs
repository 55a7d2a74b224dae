//! Pattern text to tokens, with the place of every mistake.

use super::stamp::{self, Field};
use super::{Pattern, PatternError, Token};

const LONGEST: usize = 1024;
const DEFAULT_TIME: &str = "%Y%m%d_%H%M%S";
const ALIASES: &str = "latest|previous";
const MOVING: &str = "latest|previous|current|newest|last";
const CLOSE: &str = "Close it with `}`; a brace that is part of the name is written twice.";

impl Pattern {
    /// Compiles `text`; the error says where in it the mistake is.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        check_shape(text)?;
        if text == "/" {
            return Ok(Self { text: text.to_owned(), tokens: Vec::new(), captures: Vec::new(), folder: true });
        }
        let mut reader = Reader { text, at: 0, tokens: Vec::new(), captures: Vec::new(), groups: 0 };
        reader.read()?;
        let fields: Vec<Field> = reader.tokens.iter().filter_map(field_of).collect();
        if !fields.is_empty() && !stamp::dates(&fields) {
            let at = text.find("{time").unwrap_or(0);
            return Err(error(at, "this time gives no year", "Add `%Y` (or `%s` for epoch seconds)."));
        }
        Ok(Self {
            text: text.to_owned(),
            tokens: reader.tokens,
            captures: reader.captures,
            folder: text.ends_with('/'),
        })
    }
}

fn field_of(token: &Token) -> Option<Field> {
    match token {
        Token::Field { field, .. } => Some(*field),
        _ => None,
    }
}

fn error(at: usize, message: impl Into<String>, help: impl Into<String>) -> PatternError {
    PatternError { at, message: message.into(), help: help.into() }
}

fn check_shape(text: &str) -> Result<(), PatternError> {
    if text.is_empty() {
        return Err(error(0, "the pattern is empty", "Write for example `daily/orders_{time:%Y%m%d_%H%M%S}.sql.gz`."));
    }
    if text.len() > LONGEST {
        return Err(error(LONGEST, "the pattern is longer than any object's name", "Shorten it to 1024 bytes."));
    }
    if text.len() > 1 && text.starts_with('/') {
        return Err(error(0, "a pattern starts below the store's root", "Leave the first `/` out."));
    }
    let mut at = 0;
    for part in text.split('/') {
        if part == ".." || part == "." {
            return Err(error(at, format!("`{part}` cannot be part of an object's name"), "Write the folder's name."));
        }
        if part.is_empty() && at > 0 && at < text.len() {
            return Err(error(at, "two slashes in a row", "Write one `/` between two parts."));
        }
        at += part.len() + 1;
    }
    Ok(())
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
    captures: Vec<String>,
    groups: u8,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn read(&mut self) -> Result<(), PatternError> {
        while let Some(next) = self.rest().chars().next() {
            let rest = self.rest();
            if rest.starts_with("{{") || rest.starts_with("}}") {
                self.literal(&rest[..1]);
                self.at += 2;
            } else if next == '{' {
                self.braces()?;
            } else if next == '}' {
                return Err(error(self.at, "this `}` closes nothing", "Write `}}` for a brace in the name."));
            } else if next == '*' {
                let across = rest.starts_with("**");
                self.any(self.at, Token::Any { capture: None, least: 0, across })?;
                self.at += if across { 2 } else { 1 };
            } else {
                self.literal(&rest[..next.len_utf8()]);
                self.at += next.len_utf8();
            }
        }
        Ok(())
    }

    fn literal(&mut self, text: &str) {
        match self.tokens.last_mut() {
            Some(Token::Literal(before)) => before.push_str(text),
            _ => self.tokens.push(Token::Literal(text.to_owned())),
        }
    }

    fn any(&mut self, at: usize, token: Token) -> Result<(), PatternError> {
        if matches!(self.tokens.last(), Some(Token::Any { .. })) {
            return Err(error(
                at,
                "two free parts stand side by side",
                "Put text between them, so that it is clear where the first one ends.",
            ));
        }
        self.tokens.push(token);
        Ok(())
    }

    fn braces(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        let Some(end) = self.rest().find('}') else {
            return Err(error(start, "this `{` is never closed", CLOSE));
        };
        let inner = &self.rest()[1..end];
        if let Some(nested) = inner.find('{') {
            return Err(error(start + 1 + nested, "a `{` inside braces", CLOSE));
        }
        let (name, argument) = match inner.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (inner, None),
        };
        let argument_at = start + 1 + name.len() + 1;
        match (name, argument) {
            ("time", format) => self.time(format.unwrap_or(DEFAULT_TIME), argument_at)?,
            ("alias", choices) => self.one_of(None, choices.unwrap_or(ALIASES), argument_at)?,
            ("moving", choices) => self.one_of(None, choices.unwrap_or(MOVING), argument_at)?,
            (name, argument) => {
                let capture = self.capture(name, start + 1)?;
                match argument {
                    Some(choices) => self.one_of(Some(capture), choices, argument_at)?,
                    None => self.any(start, Token::Any { capture: Some(capture), least: 1, across: false })?,
                }
            }
        }
        self.at = start + end + 1;
        Ok(())
    }

    fn capture(&mut self, name: &str, at: usize) -> Result<usize, PatternError> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if name.is_empty() || !name.bytes().all(legal) {
            return Err(error(
                at,
                format!("`{name}` cannot be the name of a captured part"),
                "Use lower-case letters, digits, `-` and `_`: `{id}`, `{namespace}`; a time is `{time:%Y%m%d}`.",
            ));
        }
        if self.captures.iter().any(|c| c == name) {
            return Err(error(at, format!("`{{{name}}}` stands twice"), "Give the second one another name."));
        }
        self.captures.push(name.to_owned());
        Ok(self.captures.len() - 1)
    }

    fn one_of(&mut self, capture: Option<usize>, choices: &str, at: usize) -> Result<(), PatternError> {
        let choices: Vec<String> = choices.split('|').map(str::to_owned).collect();
        if choices.iter().any(|c| c.is_empty() || c.contains('/')) {
            return Err(error(at, "an empty choice, or one with a `/`", "List them as `{name:first|second}`."));
        }
        self.tokens.push(Token::OneOf { capture, choices });
        Ok(())
    }

    fn time(&mut self, format: &str, at: usize) -> Result<(), PatternError> {
        self.groups = self.groups.saturating_add(1);
        let mut chars = format.char_indices();
        while let Some((offset, c)) = chars.next() {
            if c != '%' {
                self.literal(c.encode_utf8(&mut [0; 4]));
                continue;
            }
            let letter = chars.next().map(|(_, c)| c);
            match letter {
                Some('%') => self.literal("%"),
                Some('F') => self.compound("%Y-%m-%d"),
                Some('T') => self.compound("%H:%M:%S"),
                Some('R') => self.compound("%H:%M"),
                _ => {
                    let field = letter.and_then(Field::from_letter).ok_or_else(|| {
                        let shown = letter.map(String::from).unwrap_or_default();
                        error(
                            at + offset,
                            format!("`%{shown}` is not a time field that names can be read with"),
                            "Use %Y %y %m %b %d %j %H %M %S %f %z %s, or %F and %T.",
                        )
                    })?;
                    self.tokens.push(Token::Field { field, group: self.groups });
                }
            }
        }
        Ok(())
    }

    fn compound(&mut self, format: &str) {
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            match (c, c == '%') {
                (_, true) => {
                    if let Some(field) = chars.next().and_then(Field::from_letter) {
                        self.tokens.push(Token::Field { field, group: self.groups });
                    }
                }
                (c, false) => self.literal(c.encode_utf8(&mut [0; 4])),
            }
        }
    }
}
