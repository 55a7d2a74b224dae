//! A name against a pattern. Time is bounded by name length times pattern length, whatever the name.

use super::stamp::Fields;
use super::{Matched, Pattern, Token};

/// Longer names are never matched: S3 ends at 1024 bytes, Linux paths at 4096.
const LONGEST: usize = 4096;

impl Pattern {
    /// What the pattern reads in `name`, or `None` if it does not fit.
    pub fn matches<'p, 'n>(&'p self, name: &'n str) -> Option<Matched<'p, 'n>> {
        if name.len() > LONGEST || !name.starts_with(self.prefix()) || !self.ends_fit(name) {
            return None;
        }
        let mut walk = Walk::new(&self.tokens, name, self.folder);
        walk.from(0, 0).then(|| self.read(name, &walk.starts))
    }

    fn ends_fit(&self, name: &str) -> bool {
        match self.tokens.last() {
            Some(Token::Literal(text)) if !self.folder => name.ends_with(text.as_str()),
            _ => true,
        }
    }

    fn read<'p, 'n>(&'p self, name: &'n str, starts: &[usize]) -> Matched<'p, 'n> {
        let mut matched = Matched { folder: self.folder.then(|| starts[self.tokens.len()]), ..Matched::default() };
        let mut fields = Fields::default();
        let mut stamps: Vec<(u8, usize, usize)> = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            let (start, end) = (starts[index], starts[index + 1]);
            let text = &name[start..end];
            match token {
                Token::Field { field, group } => {
                    fields.set(*field, text);
                    match stamps.last_mut() {
                        Some(last) if last.0 == *group => last.2 = end,
                        _ => stamps.push((*group, start, end)),
                    }
                }
                Token::Any { capture: Some(capture), .. } | Token::OneOf { capture: Some(capture), .. } => {
                    matched.captures.push((&self.captures[*capture], text));
                }
                Token::OneOf { capture: None, .. } => matched.alias = Some(text),
                Token::Literal(_) | Token::Any { capture: None, .. } => {}
            }
        }
        if let Some((_, start, end)) = stamps.last() {
            matched.time = Some(fields.time());
            let stamp = &name[*start..*end];
            matched.stamp = Some(stamp);
            // Parts that complete each other (a folder per day) have other lengths; twins must agree.
            matched.other_stamp = stamps[..stamps.len() - 1]
                .iter()
                .map(|(_, start, end)| &name[*start..*end])
                .find(|other| other.len() == stamp.len() && *other != stamp);
        }
        matched
    }
}

struct Walk<'t, 'n> {
    tokens: &'t [Token],
    name: &'n str,
    folder: bool,
    /// Where each token starts, and where the last one ends.
    starts: Vec<usize>,
    /// Per token: from which position to which end of its run a free part has already failed.
    failed: Vec<Option<(usize, usize)>>,
}

impl<'t, 'n> Walk<'t, 'n> {
    fn new(tokens: &'t [Token], name: &'n str, folder: bool) -> Self {
        Self { tokens, name, folder, starts: vec![0; tokens.len() + 1], failed: vec![None; tokens.len()] }
    }

    fn from(&mut self, index: usize, at: usize) -> bool {
        self.starts[index] = at;
        let name = self.name;
        let Some(token) = self.tokens.get(index) else {
            return self.folder || at == name.len();
        };
        let rest = &name.as_bytes()[at..];
        match token {
            Token::Literal(text) => rest.starts_with(text.as_bytes()) && self.from(index + 1, at + text.len()),
            Token::Field { field, .. } => field.lengths(rest).any(|n| self.from(index + 1, at + n)),
            Token::OneOf { choices, .. } => {
                choices.iter().any(|c| rest.starts_with(c.as_bytes()) && self.from(index + 1, at + c.len()))
            }
            Token::Any { least, across, .. } => self.any(index, at, *least, *across),
        }
    }

    /// Shortest first. What failed from here on also fails from any later place of the same run, so a
    /// name that almost fits many times costs no more than one that does not.
    fn any(&mut self, index: usize, at: usize, least: usize, across: bool) -> bool {
        if self.failed[index].is_some_and(|(from, to)| at >= from && at <= to) {
            return false;
        }
        let bytes = self.name.as_bytes();
        let stop = if across {
            bytes.len()
        } else {
            bytes[at..].iter().position(|b| *b == b'/').map_or(bytes.len(), |slash| at + slash)
        };
        for end in at + least..=stop {
            if self.name.is_char_boundary(end) && self.from(index + 1, end) {
                return true;
            }
        }
        self.failed[index] = Some((at, stop));
        false
    }
}
