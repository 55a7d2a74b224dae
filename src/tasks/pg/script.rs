//! SQL dump text read while it streams: what it will make, how many rows it carries, and what must not
//! be handed to `psql`.
//!
//! `pg_dump` introduces every entry with a comment that names it. Where the text has those comments, only statements
//! right below one count. What stands in a string or in the body of a function is no statement anywhere.

use super::itself::{self, Itself};
use super::quotes::Quotes;
use crate::model::task::Failure;
use crate::model::text::escaped;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Only so much of a line is looked at; rows may be a gigabyte long. A `COPY` of 1 600 columns fits.
pub const PREFIX: usize = 128 << 10;
/// More tables than this are not listed.
const MAX_NAMES: usize = 200_000;

/// What a dump carries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Version of the server that was dumped and of the program that dumped it, as the text says.
    pub server_version: Option<String>,
    pub tool_version: Option<String>,
    /// Tables by quoted name `"schema"."table"`; `None` where rows were not counted (inserts).
    pub tables: BTreeMap<String, Option<u64>>,
    /// Sequences by quoted name, with the value that the dump sets.
    pub sequences: BTreeMap<String, i64>,
    pub extensions: BTreeSet<String>,
    /// Roles that own something or are granted something.
    pub roles: BTreeSet<String>,
    /// Those of them that own something.
    #[serde(default)]
    pub owners: BTreeSet<String>,
    pub indexes: u64,
    pub constraints: u64,
    /// Constraints that the dump itself leaves unchecked.
    pub not_valid: u64,
    /// Statements about the database itself, which are left out: the run makes its own.
    #[serde(default)]
    pub about_itself: u64,
    /// The text has the first line of a dump, and its last.
    pub header: bool,
    pub finished: bool,
}

impl Inventory {
    pub fn rows(&self) -> u64 {
        self.tables.values().flatten().sum()
    }
}

/// What to leave out of the text on its way to `psql`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without {
    pub owners: bool,
    pub privileges: bool,
}

/// Reads dump text chunk by chunk.
#[derive(Debug, Default)]
pub struct Scanner {
    pub inventory: Inventory,
    line: Vec<u8>,
    /// Bytes of the current line so far; may exceed what `line` holds.
    length: usize,
    /// The table whose rows are being passed, with the rows so far.
    copying: Option<(String, u64)>,
    /// Kind of the entry that the last comment introduced.
    entry: Option<String>,
    number: u64,
    without: Without,
    itself: Itself,
    began: bool,
    quotes: Quotes,
    /// The current line begins in a string, a body or a comment: it is no statement.
    quoted: bool,
}

impl Scanner {
    pub fn without(without: Without) -> Self {
        Self { without, ..Self::default() }
    }

    /// Line that is being read, from 1.
    pub fn line_number(&self) -> u64 {
        self.number + 1
    }

    /// Whether the line that is being read begins in a string, a body or a comment.
    pub const fn is_quoted(&self) -> bool {
        self.quoted
    }

    /// Table whose rows are passing now.
    pub fn current_table(&self) -> Option<&str> {
        self.copying.as_ref().map(|(table, _)| table.as_str())
    }

    /// Reads on without passing the text.
    pub fn read(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.take(&rest[..end]);
            self.end_line();
            rest = &rest[end + 1..];
        }
        self.take(rest);
    }

    /// Reads on, and passes to `out` what `psql` may see. Lines that the dump protects itself with are
    /// blanked (the caller protects the whole), so that line numbers stay the same.
    pub fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.take_passing(&rest[..end], out);
            self.check_command()?;
            if self.holds_back() && !self.left_out() {
                out.extend_from_slice(&self.line);
            }
            out.push(b'\n');
            self.end_line();
            rest = &rest[end + 1..];
        }
        self.take_passing(rest, out);
        Ok(())
    }

    /// The end of the text: a last line without a newline counts too.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.length > 0 {
            self.pass(b"\n", out)?;
        }
        Ok(())
    }

    /// A line outside rows is held back until it is whole, or too long to be one that matters.
    fn holds_back(&self) -> bool {
        self.copying.is_none() && self.length <= PREFIX
    }

    fn take_passing(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let held = self.holds_back();
        let before = self.line.len();
        self.take(bytes);
        if held && !self.holds_back() {
            out.extend_from_slice(&self.line[..before]);
            out.extend_from_slice(bytes);
        } else if !held {
            out.extend_from_slice(bytes);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        if self.copying.is_none() {
            self.quotes.read(bytes);
        }
        let keep = if self.copying.is_some() { 4 } else { PREFIX };
        let room = keep.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        self.number += 1;
        let line = std::mem::take(&mut self.line);
        let whole = self.length <= PREFIX;
        self.length = 0;
        if let Some((table, rows)) = &mut self.copying {
            if line == b"\\." || line == b"\\.\r" {
                let (table, rows) = (std::mem::take(table), *rows);
                self.copying = None;
                let total = self.inventory.tables.entry(table).or_insert(Some(0));
                *total = total.map(|before| before + rows);
            } else {
                *rows += 1;
            }
        } else {
            if let (true, false, Ok(text)) = (whole, self.quoted, std::str::from_utf8(&line)) {
                self.statement(text.trim_end());
            }
            self.quotes.read(b"\n");
            self.quoted = !self.quotes.is_outside();
        }
        // The buffer is used again.
        self.line = line;
        self.line.clear();
    }

    fn statement(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        if let Some(comment) = line.strip_prefix("--") {
            self.comment(comment.trim());
            return;
        }
        if self.is_beginning() && itself::is_statement(line) {
            self.itself.see(line);
            self.inventory.about_itself += 1;
            return;
        }
        let entry = if self.inventory.header { self.entry.take() } else { None };
        let expects = |kind: &str| !self.inventory.header || entry.as_deref() == Some(kind);
        if line.starts_with("COPY ") && line.ends_with(" FROM stdin;") && expects("DATA") {
            if let Some((name, _)) = qualified(&line[5..]) {
                self.copying = Some((name, 0));
            }
        } else if let Some(rest) = after_any(line, &["CREATE TABLE ", "CREATE UNLOGGED TABLE "]) {
            if expects("TABLE")
                && self.inventory.tables.len() < MAX_NAMES
                && let Some((name, _)) = qualified(rest)
            {
                self.inventory.tables.entry(name).or_insert(Some(0));
            }
        } else if let Some(rest) = line.strip_prefix("INSERT INTO ") {
            // A line of a function may read like this, too.
            if expects("DATA")
                && let Some((name, _)) = qualified(rest)
                && let Some(rows) = self.inventory.tables.get_mut(&name)
            {
                *rows = None;
            }
            self.entry = entry;
        } else if let Some(value) = line.strip_prefix("SET standard_conforming_strings = ") {
            self.quotes.old_strings = value.starts_with("off");
        } else if let Some(rest) = line.strip_prefix("SELECT pg_catalog.setval('") {
            self.sequence(rest);
        } else if let Some(rest) = after_any(line, &["CREATE EXTENSION IF NOT EXISTS ", "CREATE EXTENSION "]) {
            if let Some((name, _)) = identifier(rest) {
                self.inventory.extensions.insert(name);
            }
        } else {
            self.small(line, entry.as_deref());
        }
    }

    fn small(&mut self, line: &str, entry: Option<&str>) {
        match entry {
            Some("INDEX") => self.inventory.indexes += 1,
            Some("CONSTRAINT" | "FK CONSTRAINT" | "CHECK CONSTRAINT") => self.inventory.constraints += 1,
            _ => {}
        }
        if line.ends_with(" NOT VALID;") {
            self.inventory.not_valid += 1;
        }
        let role = match () {
            () if is_owner(line) => line.rsplit_once(" OWNER TO ").map(|(_, role)| role),
            () if is_grant(line) => line.rsplit_once(" TO ").map(|(_, role)| role),
            () => None,
        };
        if let Some((role, _)) = role.and_then(identifier)
            && role != "PUBLIC"
            && role != "public"
            && self.inventory.roles.len() < MAX_NAMES
        {
            if is_owner(line) {
                self.inventory.owners.insert(role.clone());
            }
            self.inventory.roles.insert(role);
        }
    }

    fn comment(&mut self, text: &str) {
        match text {
            "PostgreSQL database dump" | "PostgreSQL database cluster dump" => self.inventory.header = true,
            "PostgreSQL database dump complete" | "PostgreSQL database cluster dump complete" => {
                self.inventory.finished = true;
            }
            _ => {}
        }
        if let Some(version) = text.strip_prefix("Dumped from database version ") {
            self.inventory.server_version.get_or_insert_with(|| version.to_owned());
        } else if let Some(version) = text.strip_prefix("Dumped by pg_dump version ") {
            self.inventory.tool_version.get_or_insert_with(|| version.to_owned());
        } else if text.starts_with("Data for Name: ") {
            self.entry = Some("DATA".to_owned());
            self.began = true;
        } else if text.starts_with("Name: ") {
            self.entry = text.split("; Type: ").nth(1).and_then(|rest| rest.split(';').next()).map(str::to_owned);
            self.began |= !itself::is_entry(text);
        }
    }

    fn sequence(&mut self, rest: &str) {
        let Some((quoted, arguments)) = rest.split_once("', ") else { return };
        let Some((name, _)) = qualified(&quoted.replace("''", "'")) else { return };
        let value = arguments.split(',').next().and_then(|value| value.trim().parse().ok());
        if let (Some(value), true) = (value, self.inventory.sequences.len() < MAX_NAMES) {
            self.inventory.sequences.insert(name, value);
        }
    }

    /// Refuses what would lead away from the database that is being loaded.
    fn check_command(&self) -> Result<(), Failure> {
        if self.copying.is_some() || !self.line.starts_with(b"\\") || self.protects_itself() {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&self.line);
        if self.is_beginning() && self.itself.goes_there(&line) {
            return Ok(());
        }
        let command: String = line.chars().take(60).collect();
        Err(Failure::new(format!("line {} of the dump is a command to psql: {}", self.line_number(), escaped(&command)))
            .means("it could switch to another database (even the live one) or run programs; the load was stopped and rolled back")
            .next("use a dump of this one database, or restore this file by hand"))
    }

    /// Of a dump, before the first entry that is in the database.
    fn is_beginning(&self) -> bool {
        self.inventory.header && !self.began && !self.quoted
    }

    fn protects_itself(&self) -> bool {
        self.line.starts_with(b"\\restrict ") || self.line.starts_with(b"\\unrestrict ")
    }

    fn left_out(&self) -> bool {
        if self.protects_itself() {
            return true;
        }
        let Ok(line) = std::str::from_utf8(&self.line) else { return false };
        if self.quoted {
            return false;
        }
        if self.is_beginning() && (itself::is_statement(line) || itself::is_connect(line)) {
            return true;
        }
        (self.without.owners && is_owner(line)) || (self.without.privileges && (is_grant(line) || is_revoke(line)))
    }
}

fn is_owner(line: &str) -> bool {
    line.starts_with("ALTER ") && line.contains(" OWNER TO ") && line.trim_end().ends_with(';')
}

fn is_grant(line: &str) -> bool {
    (line.starts_with("GRANT ") && line.contains(" ON ")
        || line.starts_with("ALTER DEFAULT PRIVILEGES ") && line.contains(" GRANT "))
        && line.trim_end().ends_with(';')
}

fn is_revoke(line: &str) -> bool {
    (line.starts_with("REVOKE ") && line.contains(" ON ")
        || line.starts_with("ALTER DEFAULT PRIVILEGES ") && line.contains(" REVOKE "))
        && line.trim_end().ends_with(';')
}

fn after_any<'a>(line: &'a str, starts: &[&str]) -> Option<&'a str> {
    starts.iter().find_map(|start| line.strip_prefix(start))
}

/// One identifier at the start of `text`, unquoted, and what follows it.
pub fn identifier(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut name = String::new();
        let mut chars = quoted.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c != '"' {
                name.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
                name.push('"');
                chars.next();
            } else {
                return Some((name, &quoted[at + 1..]));
            }
        }
        return None;
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

/// `schema.name` at the start of `text` as `"schema"."name"`, and what follows it.
pub fn qualified(text: &str) -> Option<(String, &str)> {
    let (first, rest) = identifier(text)?;
    match rest.strip_prefix('.') {
        Some(rest) => {
            let (second, rest) = identifier(rest)?;
            Some((full_name(&first, &second), rest))
        }
        None => Some((full_name("public", &first), rest)),
    }
}

/// The name under which a table stands in an inventory; valid SQL.
pub fn full_name(schema: &str, table: &str) -> String {
    format!("{}.{}", super::names::ident(schema), super::names::ident(table))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped from database version 15.8\n\
        -- Dumped by pg_dump version 15.8\n\nSET x = 1;\n\
        --\n-- Name: t; Type: TABLE; Schema: public; Owner: bob\n--\n\nCREATE TABLE public.t (\n    a text\n);\n\n\
        ALTER TABLE public.t OWNER TO bob;\n\
        --\n-- Name: f(); Type: FUNCTION; Schema: public; Owner: bob\n--\n\nCREATE FUNCTION public.f() AS $$\nCREATE TABLE public.no (\nCOPY public.t (a) FROM stdin;\n$$;\n\
        --\n-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: bob\n--\n\nCOPY public.t (a) FROM stdin;\nx\n\\\\.\n\\connect evil\n\\.\n\n\
        SELECT pg_catalog.setval('public.s', 7, true);\n\
        GRANT SELECT ON TABLE public.t TO \"re\"\"ader\";\n\\unrestrict abc\n-- PostgreSQL database dump complete\n--\n";

    fn passed(text: &str, step: usize, without: Without) -> Result<(String, Inventory), Failure> {
        let (mut scanner, mut out) = (Scanner::without(without), Vec::new());
        for chunk in text.as_bytes().chunks(step) {
            scanner.pass(chunk, &mut out)?;
        }
        scanner.finish(&mut out)?;
        Ok((String::from_utf8(out).unwrap(), scanner.inventory))
    }

    #[test]
    fn only_data_counts_as_inserted_rows() {
        let dump = "-- PostgreSQL database dump\n--\n-- Name: t; Type: TABLE; Schema: public; Owner: bob\n--\n\n\
            CREATE TABLE public.t (\n    a text\n);\n\n--\n-- Name: f(); Type: FUNCTION; Schema: public; Owner: bob\n--\n\n\
            CREATE FUNCTION public.f() AS $$\nINSERT INTO public.t VALUES ('no');\n$$;\n\n";
        let data = "--\n-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: bob\n--\n\n\
            INSERT INTO public.t VALUES ('x');\nINSERT INTO public.t VALUES ('y');\n";
        let of = |text: &str| passed(text, text.len(), Without::default()).unwrap().1.tables["\"public\".\"t\""];
        assert_eq!(of(dump), Some(0));
        assert_eq!(of(&format!("{dump}{data}")), None);
    }

    #[test]
    fn what_a_dump_carries_is_the_same_for_every_way_of_cutting_it() {
        let (text, inventory) = passed(DUMP, DUMP.len(), Without::default()).unwrap();
        assert_eq!(text, DUMP.replace("\\restrict abc", "").replace("\\unrestrict abc", ""));
        assert_eq!(inventory.tables, BTreeMap::from([("\"public\".\"t\"".to_owned(), Some(3))]));
        assert_eq!(inventory.sequences.get("\"public\".\"s\""), Some(&7));
        assert_eq!(inventory.roles, BTreeSet::from(["bob".to_owned(), "re\"ader".to_owned()]));
        assert_eq!(inventory.owners, BTreeSet::from(["bob".to_owned()]));
        assert!(inventory.header && inventory.finished);
        for step in [1, 2, 3, 7, 64] {
            assert_eq!(
                passed(DUMP, step, Without::default()).unwrap(),
                (text.clone(), inventory.clone()),
                "step {step}"
            );
            let mut scanner = Scanner::default();
            DUMP.as_bytes().chunks(step).for_each(|chunk| scanner.read(chunk));
            assert_eq!(scanner.inventory, inventory);
        }
    }

    #[test]
    fn owners_and_grants_can_be_left_out() {
        let (text, _) = passed(DUMP, 5, Without { owners: true, privileges: true }).unwrap();
        assert!(!text.contains("OWNER TO") && !text.contains("GRANT"));
        assert_eq!(text.lines().count(), DUMP.lines().count());
    }

    #[test]
    fn a_switch_to_another_database_is_refused() {
        let error = passed("CREATE TABLE a (b int);\n\\connect orders\n", 4, Without::default()).unwrap_err();
        assert!(error.what.contains("line 2") && error.what.contains("connect orders"), "{}", error.what);
        assert!(passed("\\! rm -rf /\n", 100, Without::default()).is_err());
    }

    #[test]
    fn lines_beyond_the_bound_pass_whole() {
        let long =
            format!("SELECT '{}';\nCOPY a (b) FROM stdin;\n{}\n\\.\n", "x".repeat(2 * PREFIX), "y".repeat(2 * PREFIX));
        for step in [1, 100, 1000, 20_000, 3 * PREFIX] {
            let (text, inventory) = passed(&long, step, Without::default()).unwrap();
            assert_eq!(text, long);
            assert_eq!(inventory.rows(), 1);
        }
    }
}
