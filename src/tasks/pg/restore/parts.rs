//! The text of a dump cut into parts that several sessions can work on: SQL that keeps its order, rows in chunks, and
//! statements that build an index or check a foreign key.
//!
//! Only the text of `pg_dump` and `pg_restore` is cut: their comments introduce every entry and say what it is.

use super::build::{Build, Phase};
use crate::model::task::Failure;
use crate::tasks::pg::script::{PREFIX, Scanner};
use bytes::Bytes;
use std::sync::Arc;

/// Rows of one `COPY`: long enough that its start and end do not count, short enough that all sessions have work.
const CHUNK: usize = 4 << 20;
/// SQL that is handed on at a time, where a dump has much of it (inserts, large objects).
const TEXT: usize = 64 << 10;
/// A statement that is longer builds no index.
const LONGEST_BUILD: usize = 1 << 20;

#[derive(Debug)]
pub enum Part {
    /// SQL for the session that keeps the order. `line` is the number of its first line in the dump; with what `ends`, a
    /// statement ends, and no other has begun.
    Text {
        sql: Bytes,
        line: u64,
        comment_only: bool,
        ends: bool,
    },
    /// Rows follow, up to [`Part::End`].
    Chunk(Chunk),
    Rows(Bytes),
    /// How many rows the chunk had.
    End(u64),
    Build(Build),
}

#[derive(Clone, Debug)]
pub struct Chunk {
    /// `COPY … FROM stdin;`
    pub statement: Arc<str>,
    pub table: Arc<str>,
    /// Of its first row, in the dump.
    pub line: u64,
}

pub struct Splitter {
    scanner: Scanner,
    text: Vec<u8>,
    /// Number of the first line of `text`.
    text_line: u64,
    comment_only: bool,
    /// Bytes of the line so far, where it came in pieces.
    line_bytes: usize,
    /// The entry that `text` begins with, if it may be built apart.
    entry: Option<Phase>,
    /// Rows came already: what follows them builds on whole tables.
    rows_seen: bool,
    /// Nothing changed the sessions' settings in a way that only the session that keeps the order knows.
    apart: bool,
    tablespace: String,
    copy: Option<(Arc<str>, Arc<str>)>,
    /// Bytes and rows of the chunk so far; nothing was handed on yet where there are no bytes.
    chunk: (usize, u64),
    /// Beginning of a line that may be the end of the rows.
    held: Bytes,
    mid_line: bool,
}

impl Splitter {
    pub fn new(scanner: Scanner) -> Self {
        Self {
            scanner,
            text: Vec::new(),
            text_line: 1,
            comment_only: true,
            line_bytes: 0,
            entry: None,
            rows_seen: false,
            apart: true,
            tablespace: String::new(),
            copy: None,
            chunk: (0, 0),
            held: Bytes::new(),
            mid_line: false,
        }
    }

    pub const fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    pub fn into_scanner(self) -> Scanner {
        self.scanner
    }

    /// Reads on.
    pub fn push(&mut self, bytes: Bytes, parts: &mut Vec<Part>) -> Result<(), Failure> {
        let bytes =
            if self.held.is_empty() { bytes } else { [&*std::mem::take(&mut self.held), &*bytes].concat().into() };
        let mut at = 0;
        while at < bytes.len() {
            if self.copy.is_some() {
                at = self.rows(&bytes, at, parts);
            } else {
                let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end + 1);
                self.line(&bytes[at..end], parts)?;
                at = end;
            }
        }
        Ok(())
    }

    /// The end of the text.
    pub fn finish(&mut self, parts: &mut Vec<Part>) -> Result<(), Failure> {
        let held = std::mem::take(&mut self.held);
        self.scanner.read(&held);
        self.scanner.finish(&mut self.text)?;
        self.flush(self.text.len(), false, parts);
        Ok(())
    }

    /// A line outside of rows, or a piece of one.
    fn line(&mut self, line: &[u8], parts: &mut Vec<Part>) -> Result<(), Failure> {
        let (from, number, quoted) = (self.text.len(), self.scanner.line_number(), self.scanner.is_quoted());
        if from == 0 {
            self.text_line = number;
        }
        self.scanner.pass(line, &mut self.text)?;
        self.line_bytes += line.len();
        let whole = line.ends_with(b"\n");
        let long = self.line_bytes > PREFIX;
        if whole {
            self.line_bytes = 0;
        }
        if long || quoted || !whole {
            self.comment_only &= self.text.len() == from;
            self.bound(parts);
            return Ok(());
        }
        let passed = String::from_utf8_lossy(&self.text[from..]).trim_end().to_owned();
        if let Some(table) = self.scanner.current_table() {
            self.copy = Some((passed.into(), table.into()));
            self.text.truncate(from);
            self.flush(from, false, parts);
            self.rows_seen = true;
            return Ok(());
        }
        self.statement(&passed, from, parts);
        self.bound(parts);
        Ok(())
    }

    fn statement(&mut self, line: &str, from: usize, parts: &mut Vec<Part>) {
        if line.starts_with("-- Name: ")
            || line.starts_with("-- Data for Name: ")
            || line == "-- PostgreSQL database dump complete"
        {
            let phase = Phase::of_comment(line).filter(|_| self.apart && self.rows_seen);
            let much = from > TEXT;
            if self.entry.is_some() || phase.is_some() || much {
                self.flush(from, much, parts);
            }
            self.entry = phase;
        } else if line.starts_with("SET ") {
            if self.entry.is_some() {
                self.flush(from, false, parts);
            }
            self.comment_only = false;
            if line.starts_with("SET default_tablespace = ") {
                line.clone_into(&mut self.tablespace);
            } else if self.rows_seen && !line.starts_with("SET default_table_access_method = ") {
                self.apart = false;
            }
        } else if !line.is_empty() && !line.starts_with("--") {
            self.comment_only = false;
        }
    }

    /// Hands on what was gathered, where it is much.
    fn bound(&mut self, parts: &mut Vec<Part>) {
        if self.text.len() > LONGEST_BUILD {
            self.entry = None;
        }
        if self.entry.is_none() && self.text.len() > 2 * TEXT {
            self.flush(self.text.len(), false, parts);
        }
    }

    /// Hands on what stands before `upto`, as a build where it is an entry that may be built apart. What stays, if
    /// anything does, is the line that was just read. `ends` goes along with text.
    fn flush(&mut self, upto: usize, ends: bool, parts: &mut Vec<Part>) {
        let rest = self.text.split_off(upto);
        let kept = u64::from(!rest.is_empty());
        let text = std::mem::replace(&mut self.text, rest);
        let line = std::mem::replace(&mut self.text_line, self.scanner.line_number().saturating_sub(kept));
        let comment_only = std::mem::replace(&mut self.comment_only, true);
        let builds = self.entry.take().map_or_else(Vec::new, |phase| Build::of(phase, &text, line, &self.tablespace));
        if !builds.is_empty() {
            parts.extend(builds.into_iter().map(Part::Build));
        } else if !text.is_empty() {
            parts.push(Part::Text { sql: text.into(), line, comment_only, ends });
        }
    }

    /// Rows from `from` on, without a copy of them; where they end, or `bytes` do.
    fn rows(&mut self, bytes: &Bytes, from: usize, parts: &mut Vec<Part>) -> usize {
        let (mut start, mut at) = (from, from);
        let mut line = self.scanner.line_number();
        while let Some(end) = memchr::memchr(b'\n', &bytes[at..]).map(|end| at + end + 1) {
            self.scanner.read(&bytes[at..end]);
            if self.scanner.current_table().is_none() {
                self.hand_on(bytes.slice(start..at), line, parts);
                self.end_chunk(parts);
                self.copy = None;
                return end;
            }
            (at, self.mid_line) = (end, false);
            self.chunk.1 += 1;
            if self.chunk.0 + (at - start) >= CHUNK {
                self.hand_on(bytes.slice(start..at), line, parts);
                self.end_chunk(parts);
                (start, line) = (at, self.scanner.line_number());
            }
        }
        let rest = bytes.slice(at..);
        if !self.mid_line && b"\\.\r".starts_with(&rest) {
            self.held = rest;
            self.hand_on(bytes.slice(start..at), line, parts);
        } else {
            self.scanner.read(&rest);
            self.mid_line = true;
            self.hand_on(bytes.slice(start..), line, parts);
        }
        bytes.len()
    }

    fn hand_on(&mut self, rows: Bytes, line: u64, parts: &mut Vec<Part>) {
        let Some((statement, table)) = self.copy.as_ref().filter(|_| !rows.is_empty()) else { return };
        if self.chunk.0 == 0 {
            parts.push(Part::Chunk(Chunk { statement: statement.clone(), table: table.clone(), line }));
        }
        self.chunk.0 += rows.len();
        parts.push(Part::Rows(rows));
    }

    fn end_chunk(&mut self, parts: &mut Vec<Part>) {
        let (bytes, rows) = std::mem::take(&mut self.chunk);
        if bytes > 0 {
            parts.push(Part::End(rows));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::pg::script::Without;

    const DUMP: &str = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n\
        --\n-- Name: t; Type: TABLE; Schema: public; Owner: bob\n--\n\nCREATE TABLE public.t (\n    a text\n);\n\n\n\
        --\n-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: bob\n--\n\nCOPY public.t (a) FROM stdin;\nx\n\\\\.\n\\N\n\\.\n\n\n\
        --\n-- Data for Name: e; Type: TABLE DATA; Schema: public; Owner: bob\n--\n\nCOPY public.e (a) FROM stdin;\n\\.\n\n\n\
        --\n-- Name: s; Type: SEQUENCE SET; Schema: public; Owner: bob\n--\n\nSELECT pg_catalog.setval('public.s', 7, true);\n\n\n\
        SET default_tablespace = fast;\n\n\
        --\n-- Name: t_pkey; Type: CONSTRAINT; Schema: public; Owner: bob\n--\n\nALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (a);\n\n\n\
        SET default_tablespace = '';\n\n\
        --\n-- Name: t_a; Type: INDEX; Schema: public; Owner: bob\n--\n\nCREATE INDEX t_a ON public.t USING btree (a);\n\n\n\
        --\n-- Name: INDEX t_a; Type: COMMENT; Schema: public; Owner: bob\n--\n\nCOMMENT ON INDEX public.t_a IS 'x';\n\n\n\
        --\n-- PostgreSQL database dump complete\n--\n\n";

    fn cut(text: &str, step: usize) -> Vec<Part> {
        let mut splitter = Splitter::new(Scanner::without(Without::default()));
        let mut parts = Vec::new();
        for piece in text.as_bytes().chunks(step) {
            splitter.push(Bytes::copy_from_slice(piece), &mut parts).unwrap();
        }
        splitter.finish(&mut parts).unwrap();
        parts
    }

    /// What the parts say, without regard to where text and rows were cut.
    fn shown(parts: Vec<Part>) -> String {
        let mut shown = String::new();
        for part in parts {
            match part {
                Part::Text { sql, comment_only: true, .. } => assert!(
                    !String::from_utf8_lossy(&sql).contains(';')
                        || shown.is_empty()
                        || sql.starts_with(b"--")
                        || sql.starts_with(b"\n"),
                    "{sql:?}"
                ),
                Part::Text { sql, line, .. } => {
                    let text = String::from_utf8_lossy(&sql).into_owned();
                    let skipped = text.lines().take_while(|line| line.is_empty() || line.starts_with("--")).count();
                    let code: Vec<_> =
                        text.lines().filter(|line| !line.is_empty() && !line.starts_with("--")).collect();
                    shown.push_str(&format!("{}: {}\n", line + skipped as u64, code.join(" ")));
                }
                Part::Chunk(chunk) => shown.push_str(&format!("{}: {} ", chunk.line, chunk.statement)),
                Part::Rows(rows) => shown.push_str(&String::from_utf8_lossy(&rows).replace('\n', "|")),
                Part::End(rows) => shown.push_str(&format!(" {rows} rows\n")),
                Part::Build(build) => {
                    let code: Vec<_> =
                        build.sql.lines().filter(|line| !line.is_empty() && !line.starts_with("--")).collect();
                    shown.push_str(&format!(
                        "{}: build on {}: {}\n",
                        build.line,
                        build.locks.iter().map(|(table, _)| table.as_str()).collect::<Vec<_>>().join(", "),
                        code.join(" ")
                    ));
                }
            }
        }
        shown
    }

    #[test]
    fn a_dump_is_cut_the_same_however_it_arrives() {
        let whole = shown(cut(DUMP, DUMP.len()));
        assert_eq!(
            whole,
            "5: SET client_encoding = 'UTF8'; CREATE TABLE public.t (     a text );\n\
             21: COPY public.t (a) FROM stdin; x|\\\\.|\\N| 3 rows\n\
             39: SELECT pg_catalog.setval('public.s', 7, true); SET default_tablespace = fast;\n\
             45: build on \"public\".\"t\": SET default_tablespace = fast; ALTER TABLE ONLY public.t     ADD CONSTRAINT t_pkey PRIMARY KEY (a);\n\
             52: SET default_tablespace = '';\n\
             55: build on \"public\".\"t\": SET default_tablespace = ''; CREATE INDEX t_a ON public.t USING btree (a);\n\
             65: COMMENT ON INDEX public.t_a IS 'x';\n"
        );
        for step in [1, 2, 3, 5, 64, 700] {
            assert_eq!(shown(cut(DUMP, step)), whole, "step {step}");
        }
    }

    #[test]
    fn long_tables_come_in_chunks_that_end_with_a_line() {
        let row = format!("{}\n", "r".repeat(999));
        let rows = row.repeat(3 * CHUNK / 1000);
        let dump = DUMP.replace("x\n\\\\.\n\\N\n", &rows);
        let (mut chunks, mut total, mut bytes) = (0, 0, 0);
        for part in cut(&dump, 100_003) {
            match part {
                Part::Chunk(chunk) => {
                    chunks += 1;
                    assert_eq!(chunk.line, 21 + total);
                }
                Part::Rows(rows) => bytes += rows.len(),
                Part::End(count) => total += count,
                _ => {}
            }
        }
        assert_eq!((chunks, bytes, total), (3, rows.len(), (rows.len() / 1000) as u64));
    }

    #[test]
    fn other_settings_keep_everything_in_order() {
        let dump = DUMP.replace("SET default_tablespace = fast;", "SET SESSION AUTHORIZATION 'bob';");
        assert!(!cut(&dump, 50).iter().any(|part| matches!(part, Part::Build(_))));
    }
}
