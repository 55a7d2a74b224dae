//! SQL scripts of `pg_dump` and `pg_dumpall`: head, end mark, tables, rows.

use super::sql_text::{Listener, Scanner};
use crate::model::text::escaped;
use crate::proof::fault::Fault;
use crate::proof::pgdump::{CopyRows, RowCount};
use std::collections::BTreeMap;
use std::io::BufRead;

const HEAD: [&str; 2] = ["-- PostgreSQL database dump", "-- PostgreSQL database cluster dump"];
const END: [&str; 2] = ["-- PostgreSQL database dump complete", "-- PostgreSQL database cluster dump complete"];

/// Tables whose rows are listed one by one; all are counted.
const MOST_TABLES: usize = 100_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// All databases and roles of a server (`pg_dumpall`) rather than one database.
    pub cluster: bool,
    pub server_version: Option<String>,
    pub dump_version: Option<String>,
    pub statements: u64,
    pub tables: u64,
    /// One per COPY statement.
    pub rows: Vec<RowCount>,
    pub copied_rows: u64,
    pub inserts: u64,
    /// Statements by their first two words, such as `CREATE TABLE`, for the counts that people ask for.
    pub kinds: BTreeMap<String, u64>,
    /// Roles that own something or are granted something.
    pub roles: std::collections::BTreeSet<String>,
    started: bool,
    databases_open: u64,
    ended: bool,
    after_end: bool,
    copying: Option<(String, String)>,
}

/// Reads a script to its last byte. Its head and end mark are required.
pub fn read(mut reader: impl BufRead, mut now_at: impl FnMut(&str)) -> Result<Script, Fault> {
    let mut script = Script::default();
    let mut scanner = Scanner::default();
    let mut at = 0;
    let mut table = None;
    loop {
        let piece = reader.fill_buf().map_err(|e| Fault::from_io(&e, "the SQL text", Some(at)))?;
        if piece.is_empty() {
            break;
        }
        let n = piece.len();
        scanner.see(piece, &mut script);
        reader.consume(n);
        at += n as u64;
        if script.copying != table {
            table.clone_from(&script.copying);
            if let Some((schema, name)) = &table {
                now_at(&escaped(&format!("{schema}.{name}")));
            }
        }
    }
    if let Some(inside) = scanner.unfinished() {
        return Err(Fault::bad_at(script.broken_off(inside, scanner.rows_so_far()), at));
    }
    scanner.finish(&mut script);
    script.judge(at)?;
    Ok(script)
}

impl Script {
    fn broken_off(&self, inside: &str, rows: Option<u64>) -> String {
        match (&self.copying, rows) {
            (Some((schema, name)), Some(rows)) => {
                format!("the script ends in the rows of {}, after {rows} of them", escaped(&format!("{schema}.{name}")))
            }
            _ => format!("the script ends in the middle of {inside}"),
        }
    }

    fn judge(&self, at: u64) -> Result<(), Fault> {
        if !self.started {
            return Err(Fault::bad("the script has no head of pg_dump"));
        }
        if !self.ended {
            let text = format!(
                "the script ends after {} statements without its end mark `{}`",
                self.statements,
                END[usize::from(self.cluster)]
            );
            return Err(Fault::bad_at(text, at));
        }
        if self.after_end {
            return Err(Fault::bad_at("further statements follow after the end mark of the script", at));
        }
        Ok(())
    }

    fn count(&mut self, statement: &str) {
        let mut words = statement.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match (first, second) {
            ("CREATE", "UNLOGGED" | "FOREIGN") => self.kind("CREATE TABLE"),
            ("CREATE", "OR" | "UNIQUE") => {
                let kind = format!("CREATE {}", words.find(|w| *w != "REPLACE").unwrap_or_default());
                self.kind(&kind);
            }
            ("CREATE" | "ALTER" | "COMMENT" | "INSERT", _) => self.kind(&format!("{first} {second}")),
            ("COPY" | "GRANT" | "REVOKE" | "SET", _) => self.kind(first),
            _ => self.kind("other"),
        }
        if first == "INSERT" {
            self.inserts += 1;
        }
        self.tables = self.kinds.get("CREATE TABLE").copied().unwrap_or(0);
        self.note_role(first, statement);
    }

    fn kind(&mut self, kind: &str) {
        let printable = kind.len() <= 40 && kind.bytes().all(|b| b.is_ascii_uppercase() || b == b' ');
        let kind = if printable { kind } else { "other" };
        *self.kinds.entry(kind.to_owned()).or_insert(0) += 1;
    }

    fn note_role(&mut self, first: &str, statement: &str) {
        let role = match first {
            "ALTER" => statement.rsplit_once(" OWNER TO "),
            "GRANT" => statement.trim_end_matches(" WITH GRANT OPTION").rsplit_once(" TO "),
            "REVOKE" => statement.rsplit_once(" FROM "),
            _ => None,
        };
        if let Some((_, role)) = role
            && role != "PUBLIC"
            && self.roles.len() < 10_000
        {
            self.roles.insert(role.trim_matches('"').replace("\"\"", "\""));
        }
    }
}

impl Listener for Script {
    fn statement(&mut self, beginning: &str) {
        self.statements += 1;
        self.after_end |= self.ended;
        self.count(beginning);
        self.copying = None;
        if let Some(rest) = beginning.strip_prefix("COPY ") {
            self.copying = Some(qualified(rest));
        }
    }

    fn comment(&mut self, line: &str) {
        if HEAD.contains(&line) {
            if !self.started {
                (self.started, self.cluster) = (true, line == HEAD[1]);
            }
            self.databases_open += u64::from(line == HEAD[0]);
        } else if line == END[usize::from(self.cluster)] {
            self.ended = true;
        }
        if let Some(version) = line.strip_prefix("-- Dumped from database version ") {
            self.server_version.get_or_insert_with(|| version.to_owned());
        }
        if let Some(version) = line.strip_prefix("-- Dumped by pg_dump version ") {
            self.dump_version.get_or_insert_with(|| version.to_owned());
        }
    }

    fn copied(&mut self, rows: &CopyRows) {
        self.copied_rows += rows.rows;
        if let Some((schema, table)) = self.copying.take()
            && self.rows.len() < MOST_TABLES
        {
            self.rows.push(RowCount { schema, table, rows: Some(rows.rows) });
        }
    }

    /// `\restrict` and `\unrestrict` of newer versions, `\connect` of cluster dumps.
    fn command(&mut self, line: &str) {
        self.after_end |= self.ended && !line.starts_with("\\unrestrict ");
    }
}

/// `public.orders (id, name) FROM stdin` → `public`, `orders`, quotes taken off.
fn qualified(text: &str) -> (String, String) {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                if let Some(last) = parts.last_mut() {
                    last.push('"');
                }
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            ' ' | '(' if !quoted => break,
            c => {
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    let table = parts.pop().unwrap_or_default();
    (parts.pop().unwrap_or_default(), table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    const DUMP: &str = r#"--
-- PostgreSQL database dump
--

\restrict abc

-- Dumped from database version 15.4
-- Dumped by pg_dump version 15.4

SET statement_timeout = 0;
/* a /* nested */ ; comment */
CREATE TABLE public.orders (id integer, note text DEFAULT E'it\'s; "x"', b text DEFAULT E'a''b\'; c');
CREATE FUNCTION public.g(integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT ($1 + 1)*$1;
END;
ALTER TABLE public.orders OWNER TO "shop owner";
CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $_$
COPY public.orders FROM stdin;
-- PostgreSQL database dump complete
select '$$'; $_$;
COPY public."Order ""x"".y" (id, note) FROM stdin;
1	-- PostgreSQL database dump complete
2	it's;
\.

CREATE UNIQUE INDEX i ON public.orders (id);
INSERT INTO public.t VALUES (1, 'two
-- PostgreSQL database dump complete
lines; $x$');
GRANT SELECT ON TABLE public.orders TO reader;
--
-- PostgreSQL database dump complete
--

\unrestrict abc
"#;

    #[test]
    fn a_script_is_read_whole() {
        for size in [1, 2, 3, 7, 64, 4096] {
            let script = read(BufReader::with_capacity(size, DUMP.as_bytes()), |_| ()).unwrap();
            assert_eq!((script.tables, script.copied_rows, script.inserts), (1, 2, 1), "pieces of {size}");
            let rows = RowCount { schema: "public".into(), table: "Order \"x\".y".into(), rows: Some(2) };
            assert_eq!(script.rows, [rows]);
            assert_eq!(script.server_version.as_deref(), Some("15.4"));
            assert_eq!(script.roles.iter().collect::<Vec<_>>(), ["reader", "shop owner"]);
            assert_eq!(script.kinds["CREATE INDEX"], 1);
        }
    }

    #[test]
    fn every_cut_before_the_end_mark_is_found() {
        let end = DUMP.rfind("-- PostgreSQL database dump complete").unwrap() + END[0].len();
        for cut in 0..end {
            let fault = read(&DUMP.as_bytes()[..cut], |_| ()).unwrap_err();
            assert!(fault.is_verdict(), "cut at {cut}");
        }
        assert!(read(&DUMP.as_bytes()[..end], |_| ()).is_ok());
        let fault = read(DUMP.as_bytes().split_at(DUMP.find("2\tit").unwrap() + 3).0, |_| ()).unwrap_err();
        assert!(fault.to_string().starts_with("the script ends in the rows of public."), "{fault}");
    }

    #[test]
    fn what_follows_the_end_mark_is_refused() {
        let more = format!("{DUMP}DROP TABLE public.orders;\n");
        assert!(read(more.as_bytes(), |_| ()).is_err());
    }
}
