//! A small scanner for SQL scripts: cuts them into statements, and knows where quotes, comments and
//! COPY data begin and end. Lines and statements may be of any length; only their beginnings are kept.

use crate::proof::pgdump::CopyRows;

/// What is kept of a statement, in bytes.
const KEPT: usize = 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Plain,
    /// `--` to the end of the line; the comment's beginning is kept.
    LineComment(Vec<u8>),
    /// `/* */`, which nest.
    BlockComment {
        depth: u32,
        last: u8,
    },
    /// `'…'`, or `E'…'` where a backslash escapes.
    Text {
        escapes: bool,
        after_backslash: bool,
    },
    Name,
    /// `$tag$ … $tag$`: `matched` bytes of the closing tag seen.
    Dollar {
        tag: Vec<u8>,
        matched: usize,
    },
    /// Between the dollars of an opening tag.
    DollarTag(Vec<u8>),
    /// The rest of a line after `COPY … FROM stdin;`.
    BeforeCopy,
    Copy(CopyRows),
    /// A backslash command of psql, to the end of the line.
    Command(Vec<u8>),
}

/// What a scan finds, in order.
pub trait Listener {
    /// A statement, its first bytes, quotes and all, comments left out.
    fn statement(&mut self, beginning: &str);
    fn comment(&mut self, line: &str);
    /// The data of the COPY statement that came last.
    fn copied(&mut self, rows: &CopyRows);
    fn command(&mut self, line: &str);
}

#[derive(Debug)]
pub struct Scanner {
    place: Place,
    statement: Vec<u8>,
    /// Last two bytes in plain text.
    before: [u8; 2],
    /// The line so far holds nothing but blanks.
    line_blank: bool,
    /// The last quoted text was one in which a backslash escapes.
    escaping: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { place: Place::Plain, statement: Vec::new(), before: [b'\n'; 2], line_blank: true, escaping: false }
    }
}

impl Scanner {
    pub fn see(&mut self, piece: &[u8], listener: &mut impl Listener) {
        let mut rest = piece;
        while !rest.is_empty() {
            let used = match &mut self.place {
                Place::Copy(_) => self.copy_data(rest, listener),
                Place::Text { escapes: false, .. } => self.skip_to(rest, b'\''),
                Place::Name => self.skip_to(rest, b'"'),
                _ => 0,
            };
            if used > 0 {
                rest = &rest[used..];
                continue;
            }
            self.byte(rest[0], listener);
            rest = &rest[1..];
        }
    }

    /// In the middle of what, when the text ends here. `None` between statements.
    pub fn unfinished(&self) -> Option<&'static str> {
        match &self.place {
            Place::Plain if self.statement.iter().all(u8::is_ascii_whitespace) => None,
            Place::LineComment(_) | Place::Command(_) => None,
            Place::Plain => Some("a statement"),
            Place::BlockComment { .. } => Some("a comment"),
            Place::Text { .. } => Some("a quoted text"),
            Place::Name => Some("a quoted name"),
            Place::Dollar { .. } | Place::DollarTag(_) => Some("a dollar-quoted text"),
            Place::BeforeCopy | Place::Copy(_) => Some("the rows of a table"),
        }
    }

    /// Ends a comment or command on the last line, which may lack its newline.
    pub fn finish(&mut self, listener: &mut impl Listener) {
        if matches!(self.place, Place::LineComment(_) | Place::Command(_)) {
            self.byte(b'\n', listener);
        }
    }

    /// Rows of the COPY data that the text broke off in.
    pub fn rows_so_far(&self) -> Option<u64> {
        match &self.place {
            Place::Copy(rows) => Some(rows.rows),
            _ => None,
        }
    }

    fn skip_to(&mut self, rest: &[u8], stop: u8) -> usize {
        let n = memchr::memchr(stop, rest).unwrap_or(rest.len());
        self.keep(&rest[..n]);
        n
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.statement.len());
        self.statement.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Rows up to and with the end mark's line, a line at a time so that nothing after it is taken.
    fn copy_data(&mut self, rest: &[u8], listener: &mut impl Listener) -> usize {
        let Place::Copy(rows) = &mut self.place else { return 0 };
        let mut used = 0;
        while used < rest.len() {
            let n = memchr::memchr(b'\n', &rest[used..]).map_or(rest.len() - used, |at| at + 1);
            rows.see(&rest[used..used + n]);
            used += n;
            if rows.ended {
                listener.copied(rows);
                self.place = Place::Plain;
                self.line_blank = true;
                self.before = [b'\n'; 2];
                break;
            }
        }
        used
    }

    fn byte(&mut self, byte: u8, listener: &mut impl Listener) {
        match &mut self.place {
            Place::Plain => self.plain(byte, listener),
            Place::LineComment(text) | Place::Command(text) => {
                if byte != b'\n' {
                    if text.len() < KEPT {
                        text.push(byte);
                    }
                    return;
                }
                self.tell_line(listener);
                self.back_to_plain(byte);
            }
            Place::BlockComment { .. } => self.block_comment(byte),
            Place::Text { escapes, after_backslash } => {
                let escaped = std::mem::take(after_backslash);
                if *escapes && byte == b'\\' && !escaped {
                    *after_backslash = true;
                } else if byte == b'\'' && !escaped {
                    self.back_to_plain(byte);
                }
                self.keep(&[byte]);
            }
            Place::Name => {
                if byte == b'"' {
                    self.back_to_plain(byte);
                }
                self.keep(&[byte]);
            }
            Place::DollarTag(_) => self.dollar_tag(byte, listener),
            Place::Dollar { tag, matched } => {
                *matched = if tag[*matched] == byte { *matched + 1 } else { usize::from(byte == b'$') };
                if *matched == tag.len() {
                    self.back_to_plain(byte);
                }
            }
            Place::BeforeCopy => {
                if byte == b'\n' {
                    self.place = Place::Copy(CopyRows::default());
                }
            }
            Place::Copy(_) => {}
        }
    }

    fn tell_line(&self, listener: &mut impl Listener) {
        match &self.place {
            Place::Command(text) => listener.command(&String::from_utf8_lossy(text)),
            Place::LineComment(text) => listener.comment(&String::from_utf8_lossy(text)),
            _ => {}
        }
    }

    fn block_comment(&mut self, byte: u8) {
        let Place::BlockComment { depth, last } = &mut self.place else { return };
        let pair = (*last, byte);
        *last = byte;
        match pair {
            (b'*', b'/') => (*depth, *last) = (*depth - 1, 0),
            (b'/', b'*') => (*depth, *last) = (*depth + 1, 0),
            _ => {}
        }
        if *depth == 0 {
            self.back_to_plain(b' ');
        }
    }

    /// A dollar begins a tag, or it is the `$1` of a parameter and what follows it is plain again.
    fn dollar_tag(&mut self, byte: u8, listener: &mut impl Listener) {
        let Place::DollarTag(tag) = &mut self.place else { return };
        let first = tag.len() == 1;
        let fits = byte == b'$' || byte == b'_' || byte >= 0x80 || byte.is_ascii_alphabetic();
        if !(fits || byte.is_ascii_digit() && !first) || tag.len() > 64 {
            self.back_to_plain(b'$');
            return self.plain(byte, listener);
        }
        tag.push(byte);
        if byte == b'$' {
            self.place = Place::Dollar { tag: std::mem::take(tag), matched: 0 };
        }
        self.keep(&[byte]);
    }

    fn back_to_plain(&mut self, last: u8) {
        self.place = Place::Plain;
        self.before = [self.before[1], last];
        self.line_blank = last == b'\n';
    }

    fn plain(&mut self, byte: u8, listener: &mut impl Listener) {
        let last = self.before[1];
        match byte {
            b'-' if last == b'-' => {
                self.statement.pop();
                self.place = Place::LineComment(b"--".to_vec());
                return;
            }
            b'*' if last == b'/' => {
                self.statement.pop();
                self.place = Place::BlockComment { depth: 1, last: 0 };
                return;
            }
            b'\'' => {
                // Two quotes stand for one: the text goes on as it was.
                let again = last == b'\'' && self.escaping;
                let escapes = again || (matches!(last, b'e' | b'E') && !is_name_byte(self.before[0]));
                self.escaping = escapes;
                self.place = Place::Text { escapes, after_backslash: false };
            }
            b'"' => self.place = Place::Name,
            b'$' if !is_name_byte(last) => self.place = Place::DollarTag(b"$".to_vec()),
            b'\\' if self.line_blank && self.statement.iter().all(u8::is_ascii_whitespace) => {
                self.statement.clear();
                self.place = Place::Command(b"\\".to_vec());
                return;
            }
            b';' => return self.end_statement(listener),
            _ => {}
        }
        self.before = [last, byte];
        self.line_blank = byte == b'\n' || (self.line_blank && byte.is_ascii_whitespace());
        if !(self.statement.is_empty() && byte.is_ascii_whitespace()) {
            self.keep(&[byte]);
        }
    }

    fn end_statement(&mut self, listener: &mut impl Listener) {
        let text = String::from_utf8_lossy(self.statement.trim_ascii()).into_owned();
        self.statement.clear();
        self.before = [b';'; 2];
        self.line_blank = false;
        if text.starts_with("COPY ") && text.to_ascii_lowercase().ends_with(" from stdin") {
            self.place = Place::BeforeCopy;
        }
        if !text.is_empty() {
            listener.statement(&text);
        }
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}
