//! Where a command's answer goes: text or one JSON document on standard output.

use super::args::{Colour, Globals};
use crate::health::Severity;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::model::time::Timestamp;
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter};
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// What a piece of text means; becomes colour where colour is wanted. Never the only sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Strong,
    Quiet,
    Good,
    Warning,
    Unknown,
    Critical,
}

impl Tone {
    const fn sgr(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Strong => "1",
            Tone::Quiet => "2",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Unknown => "35",
            Tone::Critical => "1;31",
        }
    }
}

impl From<Severity> for Tone {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Ok => Tone::Good,
            Severity::Warning => Tone::Warning,
            Severity::Unknown => Tone::Unknown,
            Severity::Critical => Tone::Critical,
        }
    }
}

/// Standard output of one call. Once the reader of a pipe has left, everything further is dropped and the
/// command still ends with its own exit code.
pub struct Output {
    pub json: bool,
    colour: bool,
    /// `None` once the reader has left.
    to: Option<Box<dyn Write + Send>>,
}

impl Output {
    pub fn new(globals: &Globals) -> Self {
        let plain = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let colour = match globals.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                io::stdout().is_terminal() && !plain("NO_COLOR") && !dumb
            }
        };
        Self { json: globals.json, colour, to: Some(Box::new(io::BufWriter::new(io::stdout()))) }
    }

    /// Text beside a document: on standard error, without colour.
    pub fn told() -> Self {
        Self { json: false, colour: false, to: Some(Box::new(io::BufWriter::new(io::stderr()))) }
    }

    /// Text and documents that are kept instead of printed.
    pub fn kept(json: bool, to: Box<dyn Write + Send>) -> Self {
        Self { json, colour: false, to: Some(to) }
    }

    /// `text` in its colour. The text must be safe for a terminal already.
    pub fn toned(&self, tone: Tone, text: &str) -> String {
        match tone.sgr() {
            sgr if self.colour && !sgr.is_empty() && !text.is_empty() => format!("\x1b[{sgr}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }

    /// One line of text that is safe for a terminal.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.write(text.trim_end_matches(' ').as_bytes())?;
        self.write(b"\n")
    }

    /// What a failure means, and what to do next.
    pub fn way_out(&mut self, failure: &Failure) -> io::Result<()> {
        self.line(&format!("  means: {}", escaped(&failure.meaning)))?;
        self.line(&format!("  next: {}", escaped(&failure.next)))
    }

    /// Bytes as they are, for generated files such as completions.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)
    }

    /// The call's one JSON document: `schema` and `generated_at` before the fields of `body`.
    pub fn document(&mut self, name: &str, version: u32, at: Timestamp, body: &impl Serialize) -> io::Result<()> {
        #[derive(Serialize)]
        struct Document<'a, T> {
            schema: String,
            generated_at: String,
            #[serde(flatten)]
            body: &'a T,
        }
        let document = Document { schema: format!("relight.{name}/{version}"), generated_at: rfc3339(at), body };
        // As it is made: the document of a large catalog is larger than the catalog.
        let mut serializer = serde_json::Serializer::with_formatter(Through(self), Safe(PrettyFormatter::new()));
        document.serialize(&mut serializer)?;
        self.write(b"\n")
    }

    /// One document on one line, for streams of many.
    pub fn record(&mut self, body: &impl Serialize) -> io::Result<()> {
        let mut bytes = Vec::new();
        body.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Safe(CompactFormatter)))?;
        bytes.push(b'\n');
        self.write(&bytes)
    }

    pub fn finish(&mut self) -> io::Result<()> {
        let Some(to) = &mut self.to else { return Ok(()) };
        let flushed = to.flush();
        self.settle(flushed)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(to) = &mut self.to else { return Ok(()) };
        let written = to.write_all(bytes);
        self.settle(written)
    }

    fn settle(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.to = None;
                Ok(())
            }
            other => other,
        }
    }
}

/// Where a document flows while it is made.
struct Through<'o>(&'o mut Output);

impl Write for Through<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// RFC 3339 in UTC, to the second.
pub fn rfc3339(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// JSON that is also safe to look at: what could move a cursor or turn text around is written as
/// `\u…`, beyond what JSON asks for.
struct Safe<F>(F);

impl<F: Formatter> Formatter for Safe<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        if let Cow::Borrowed(_) = escaped(fragment) {
            return to.write_all(fragment.as_bytes());
        }
        let mut units = [0; 2];
        for c in fragment.chars() {
            let mut bytes = [0; 4];
            let text = c.encode_utf8(&mut bytes);
            if escaped(text) == *text {
                to.write_all(text.as_bytes())?;
            } else {
                for unit in c.encode_utf16(&mut units) {
                    write!(to, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, to: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.write_char_escape(to, escape)
    }
    fn begin_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_array(to)
    }
    fn end_array<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_array(to)
    }
    fn begin_array_value<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(to, first)
    }
    fn end_array_value<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_array_value(to)
    }
    fn begin_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_object(to)
    }
    fn end_object<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_object(to)
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(to, first)
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.begin_object_value(to)
    }
    fn end_object_value<W: ?Sized + Write>(&mut self, to: &mut W) -> io::Result<()> {
        self.0.end_object_value(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct To(std::sync::mpsc::Sender<Vec<u8>>);
    impl Write for To {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn documents_carry_schema_and_time_and_nothing_that_moves_a_cursor() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut out = Output { json: true, colour: false, to: Some(Box::new(To(sender))) };
        let at = "2026-11-21T02:15:00.5Z".parse().unwrap();
        out.document("test", 1, at, &serde_json::json!({ "name": "a\u{9b}2J\u{202e}é\n" })).unwrap();
        let text = String::from_utf8(receiver.try_iter().flatten().collect()).unwrap();
        assert!(text.starts_with("{\n  \"schema\": \"relight.test/1\",\n  \"generated_at\": \"2026-11-21T02:15:00Z\""));
        assert!(text.contains(r"a\u009b2J\u202eé\n"), "{text}");
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["name"], "a\u{9b}2J\u{202e}é\n");
    }
}
