//! Where in SQL text strings, bodies and comments begin and end, byte by byte: what stands in them is no statement,
//! whatever it reads like.

/// What the next byte is a part of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Statement,
    /// `'…'`, where a backslash may take the next byte with it.
    Text { escapes: bool, escaped: bool },
    /// After a quote that either ends the text or is the first of two.
    TextEnd { escapes: bool },
    /// `"…"`
    Name,
    /// `-- …`, up to the end of the line.
    Comment,
    /// `/* … */`, which may hold others.
    Block { depth: usize, last: u8 },
    /// `$tag` so far: the beginning of a body, if a dollar sign ends it.
    Tag(Vec<u8>),
    /// `$tag$ … $tag$`, with so many bytes of its end seen.
    Body { tag: Vec<u8>, seen: usize },
}

/// Longer tags are none: a name has 63 bytes.
const LONGEST_TAG: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct Quotes {
    inside: Inside,
    last: u8,
    before: u8,
    /// Backslashes count in every text: `SET standard_conforming_strings = off`.
    pub old_strings: bool,
}

impl Quotes {
    /// Whether what comes next is not in a string, a body or a block comment.
    pub fn is_outside(&self) -> bool {
        matches!(self.inside, Inside::Statement | Inside::Comment | Inside::TextEnd { .. } | Inside::Tag(_))
    }

    pub fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.next(byte);
            (self.before, self.last) = (self.last, byte);
        }
    }

    fn next(&mut self, byte: u8) {
        match &mut self.inside {
            Inside::Statement => self.statement(byte),
            Inside::Text { escaped, .. } if *escaped => *escaped = false,
            Inside::Text { escapes: true, escaped } if byte == b'\\' => *escaped = true,
            Inside::Text { escapes, .. } if byte == b'\'' => self.inside = Inside::TextEnd { escapes: *escapes },
            Inside::TextEnd { escapes } if byte == b'\'' => {
                self.inside = Inside::Text { escapes: *escapes, escaped: false };
            }
            Inside::Name if byte == b'"' => self.inside = Inside::Statement,
            Inside::Comment if byte == b'\n' => self.inside = Inside::Statement,
            Inside::Block { depth, last } => match (*last, byte) {
                (b'/', b'*') => (*depth, *last) = (*depth + 1, 0),
                (b'*', b'/') if *depth == 1 => self.inside = Inside::Statement,
                (b'*', b'/') => (*depth, *last) = (*depth - 1, 0),
                _ => *last = byte,
            },
            Inside::Tag(tag) if byte == b'$' => {
                tag.push(b'$');
                self.inside = Inside::Body { tag: std::mem::take(tag), seen: 0 };
            }
            Inside::Tag(tag)
                if is_name(byte) && tag.len() < LONGEST_TAG && !(tag.len() == 1 && byte.is_ascii_digit()) =>
            {
                tag.push(byte);
            }
            Inside::TextEnd { .. } | Inside::Tag(_) => self.again(byte),
            Inside::Body { tag, seen } => {
                *seen = if tag.get(*seen) == Some(&byte) { *seen + 1 } else { usize::from(byte == b'$') };
                if *seen == tag.len() {
                    self.inside = Inside::Statement;
                }
            }
            Inside::Text { .. } | Inside::Name | Inside::Comment => {}
        }
    }

    /// The byte belongs to the statement around what has just ended.
    fn again(&mut self, byte: u8) {
        self.inside = Inside::Statement;
        self.statement(byte);
    }

    fn statement(&mut self, byte: u8) {
        match byte {
            b'\'' => {
                let marked = matches!(self.last, b'e' | b'E') && !is_name(self.before);
                self.inside = Inside::Text { escapes: marked || self.old_strings, escaped: false };
            }
            b'"' => self.inside = Inside::Name,
            b'-' if self.last == b'-' => self.inside = Inside::Comment,
            b'*' if self.last == b'/' => self.inside = Inside::Block { depth: 1, last: 0 },
            b'$' if !is_name(self.last) && self.last != b'$' => self.inside = Inside::Tag(vec![b'$']),
            _ => {}
        }
    }
}

const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with `x` in place of every byte before which the reader is inside of something.
    fn shown(sql: &str) -> String {
        let mut quotes = Quotes::default();
        let mut shown = String::new();
        for byte in sql.bytes() {
            shown.push(if quotes.is_outside() { char::from(byte) } else { 'x' });
            quotes.read(&[byte]);
        }
        shown
    }

    #[test]
    fn strings_names_bodies_and_comments() {
        for (sql, expected) in [
            ("a 'b;' c", "a 'xxx c"),
            ("a 'b''c' d", "a 'xx'xx d"),
            (r"a 'b\' c", r"a 'xxx c"),
            (r"a E'b\'c' d", r"a E'xxxxx d"),
            (r"a e'b''c\'d' d", r"a e'xx'xxxxx d"),
            (r"type'b\' c", r"type'xxx c"),
            ("a \"b'\" c", "a \"xxx c"),
            ("a $$b'$c$ $$ d", "a $$xxxxxxxx d"),
            ("a $t$b $$ $u$ $t$ d", "a $t$xxxxxxxxxxxx d"),
            ("a$b$c 'd' $1 $2", "a$b$c 'xx $1 $2"),
            ("a -- b'c\nd 'e'", "a -- b'c\nd 'xx"),
            ("a /* b' /* c */ d */ e", "a /*xxxxxxxxxxxxxxxx e"),
            ("a /*/ b */ c", "a /*xxxxxx c"),
        ] {
            assert_eq!(shown(sql), expected, "{sql}");
        }
    }

    #[test]
    fn old_strings_end_elsewhere() {
        let mut quotes = Quotes { old_strings: true, ..Quotes::default() };
        quotes.read(br"a 'b\' ");
        assert!(!quotes.is_outside());
        quotes.read(b"c'; ");
        assert!(quotes.is_outside());
    }
}
