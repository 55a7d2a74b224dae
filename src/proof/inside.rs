//! What the decoded content of an object turned out to be: the form's reader, its level and its facts.

use super::fault::Fault;
use super::forms::images::{Image, Images};
use super::forms::tar::Walked;
use super::forms::{json, openpgp, plain_sql, rdb, tar, text};
use super::pgdump::{self, RowCount, Toc};
use crate::model::content::{Content, Form};
use crate::model::proof::Level;
use crate::model::text::escaped;
use std::collections::BTreeMap;
use std::io::BufRead;

/// Per-table row counts that a record keeps; the total is always there.
const MOST_ROW_FACTS: usize = 500;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// `None`: the form has nothing of its own that could be checked.
    pub level: Option<Level>,
    /// What was found, for people: `12 tables, 4 711 rows`.
    pub summary: String,
    pub facts: BTreeMap<String, String>,
    /// What deserves a look although nothing is wrong.
    pub notes: Vec<String>,
    pub toc: Option<Toc>,
    pub rows: Vec<RowCount>,
}

impl Inside {
    fn fact(&mut self, key: &str, value: &dyn std::fmt::Display) {
        self.facts.insert(key.to_owned(), value.to_string());
    }
}

/// Reads the content of `content.form` from `reader` to its end.
pub fn read(content: &Content, reader: &mut dyn BufRead, now_at: &dyn Fn(&str)) -> Result<Inside, Fault> {
    let wrapped = (!content.wrapped.is_empty()).then_some(Level::L3);
    match content.form {
        Form::PgCustom => pgdump::read_all(reader, now_at).map(dump),
        Form::PlainSql => plain_sql::read(reader, now_at).map(script),
        Form::Tar => packed(reader),
        Form::Rdb => rdb::read(reader).map(|found| snapshot(&found)),
        Form::Json => json::read(reader).map(|found| json_documents(&found)),
        Form::OpenPgp => openpgp::read(reader).map(|sealed| sealed_message(&sealed)),
        Form::Age => count(reader).map(sealed_file),
        Form::WalSegment => wal_segment(reader),
        Form::Text | Form::Csv | Form::Aof => text::read(reader).map(|lines| plain_text(&lines, wrapped)),
        Form::Empty => Err(Fault::bad("there is nothing in it: the program that wrote it gave no output")),
        Form::Tree | Form::Unknown => {
            let bytes = count(reader)?;
            let mut inside =
                Inside { level: wrapped, summary: format!("{bytes} bytes of an unknown form"), ..Inside::default() };
            inside.fact("content_bytes", &bytes);
            Ok(inside)
        }
    }
}

fn count(reader: &mut dyn BufRead) -> Result<u64, Fault> {
    std::io::copy(reader, &mut std::io::sink()).map_err(|e| Fault::from_io(&e, "the content", None))
}

fn dump(contents: pgdump::Contents) -> Inside {
    let (tables, rows) = (contents.toc.tables().count(), sum(&contents.rows));
    let mut inside = Inside {
        level: contents.decoded.then_some(Level::L4),
        summary: format!("{} entries, {tables} tables, {rows} rows", contents.toc.entries.len()),
        ..Inside::default()
    };
    if !contents.decoded {
        let compression = contents.toc.header.compression;
        inside
            .notes
            .push(format!("its data blocks are compressed with {compression}, which was walked but not opened"));
    }
    let header = &contents.toc.header;
    inside.fact("database", &header.database);
    inside.fact("server_version", &header.server_version);
    inside.fact("pg_dump_version", &header.dump_version);
    inside.fact("archive_version", &format!("{}.{}.{}", header.version.0, header.version.1, header.version.2));
    inside.fact("compression", &header.compression);
    if let Some(created) = header.created {
        inside.fact("created_local_time", &created);
    }
    inside.fact("entries", &contents.toc.entries.len());
    inside.fact("tables", &tables);
    inside.fact("content_bytes", &contents.data_bytes);
    if contents.large_objects > 0 {
        inside.fact("large_objects", &contents.large_objects);
    }
    row_facts(&mut inside, &contents.rows);
    inside.rows = contents.rows;
    inside.toc = Some(contents.toc);
    inside
}

fn script(script: plain_sql::Script) -> Inside {
    let mut inside = Inside {
        level: Some(Level::L4),
        summary: format!("{} tables, {} rows, end mark found", script.tables, script.copied_rows + script.inserts),
        ..Inside::default()
    };
    inside.fact("tables", &script.tables);
    inside.fact("statements", &script.statements);
    if script.cluster {
        inside.notes.push("a dump of a whole server, not of one database".to_owned());
        inside.fact("cluster_dump", &true);
    }
    if script.inserts > 0 {
        inside.fact("insert_statements", &script.inserts);
    }
    for (key, value) in [("server_version", &script.server_version), ("pg_dump_version", &script.dump_version)] {
        if let Some(value) = value {
            inside.fact(key, value);
        }
    }
    row_facts(&mut inside, &script.rows);
    inside.rows = script.rows;
    inside
}

fn sum(rows: &[RowCount]) -> u64 {
    rows.iter().filter_map(|r| r.rows).sum()
}

fn row_facts(inside: &mut Inside, rows: &[RowCount]) {
    inside.fact("rows", &sum(rows));
    for row in rows.iter().take(MOST_ROW_FACTS) {
        if let Some(count) = row.rows {
            inside.fact(&row_fact(&row.schema, &row.table), &count);
        }
    }
}

/// Key of the fact that holds the row count of one table.
pub fn row_fact(schema: &str, table: &str) -> String {
    format!("rows of {schema}.{table}")
}

/// An archive; one of container images is held to their digests, too.
fn packed(reader: &mut dyn BufRead) -> Result<Inside, Fault> {
    let mut images = Images::default();
    let walked = tar::walk(reader, &mut images)?;
    let mut inside = archive(&walked);
    if let Some(images) = images.finish()? {
        of_images(&mut inside, &images);
    }
    Ok(inside)
}

fn of_images(inside: &mut Inside, images: &[Image]) {
    let names: Vec<&str> = images.iter().flat_map(|image| &image.names).map(String::as_str).collect();
    let layers: usize = images.iter().map(|image| image.layers.len()).sum();
    let shown: Vec<_> = names.iter().take(5).map(|name| escaped(name).into_owned()).collect();
    inside.summary = format!(
        "images: {}, layers: {layers}, each as its digest says: {}",
        images.len(),
        if shown.is_empty() { "without a name".to_owned() } else { shown.join(", ") }
    );
    inside.fact("images", &images.len());
    inside.fact("layers", &layers);
    inside.fact("names", &shown.join(", "));
}

pub(super) fn archive(walked: &Walked) -> Inside {
    let mut inside = Inside {
        level: Some(Level::L4),
        summary: format!("{} members, {} files, {} bytes in them", walked.members, walked.files, walked.bytes),
        ..Inside::default()
    };
    inside.fact("members", &walked.members);
    inside.fact("files", &walked.files);
    inside.fact("content_bytes", &walked.bytes);
    if walked.unsafe_count > 0 {
        inside.fact("unsafe_members", &walked.unsafe_count);
        inside.notes.push(format!(
            "{} members may not be extracted, among them {}",
            walked.unsafe_count,
            walked.unsafe_members.iter().take(3).cloned().collect::<Vec<_>>().join(", ")
        ));
    }
    inside
}

fn snapshot(found: &rdb::Snapshot) -> Inside {
    let walked = found.unknown_type.is_none();
    let mut inside = Inside {
        level: match (walked, found.checksummed) {
            (true, _) => Some(Level::L4),
            (false, true) => Some(Level::L3),
            (false, false) => None,
        },
        summary: format!("RDB version {}, {} keys", found.version, found.keys),
        ..Inside::default()
    };
    inside.fact("rdb_version", &found.version);
    inside.fact(if walked { "keys" } else { "keys_counted" }, &found.keys);
    inside.fact("databases", &found.databases.len());
    inside.fact("expiring_keys", &found.expiring);
    if let Some(kind) = found.unknown_type {
        inside.fact("keys_announced", &found.announced);
        inside.notes.push(format!("it holds values of type {kind}, which this program does not know"));
    }
    if !found.checksummed {
        inside.notes.push("the server wrote no checksum into it".to_owned());
    }
    for (key, value) in [("redis-ver", "redis_version"), ("valkey-ver", "valkey_version"), ("ctime", "created_epoch")] {
        if let Some(text) = found.aux.get(key) {
            inside.fact(value, text);
        }
    }
    inside
}

fn json_documents(found: &json::Documents) -> Inside {
    let summary = match (found.count, found.by_line) {
        (1, _) => {
            let what = if found.is_object { "an object" } else { "an array" };
            format!("well-formed JSON, {what} with {} members", found.members)
        }
        (count, true) => format!("well-formed JSON Lines, {count} documents"),
        (count, false) => format!("{count} well-formed JSON documents one after another"),
    };
    let mut inside = Inside { level: Some(Level::L4), summary, ..Inside::default() };
    if found.count == 1 {
        inside.fact("members", &found.members);
    } else {
        inside.fact("documents", &found.count);
    }
    inside
}

/// What holds of everything that is encrypted.
const CLOSED: &str = "it is encrypted: without its key nothing in it can be checked, L2 is the most";

fn sealed_file(bytes: u64) -> Inside {
    let mut inside = Inside { summary: "an age file".to_owned(), notes: vec![CLOSED.to_owned()], ..Inside::default() };
    inside.fact("sealed_bytes", &bytes);
    inside
}

fn sealed_message(sealed: &openpgp::Sealed) -> Inside {
    let mut inside = Inside { summary: "an OpenPGP message, whole by its packets".to_owned(), ..Inside::default() };
    inside.notes.push(CLOSED.to_owned());
    if !sealed.armored {
        inside.fact("recipients", &sealed.recipients);
    }
    inside.fact("sealed_bytes", &sealed.sealed_bytes);
    inside
}

/// A WAL segment says in its first page how long it must be.
fn wal_segment(reader: &mut dyn BufRead) -> Result<Inside, Fault> {
    let mut head = [0; 40];
    reader.read_exact(&mut head).map_err(|e| Fault::from_io(&e, "the first page of the segment", Some(0)))?;
    let number = |at: usize, width: usize| head[at..at + width].iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b));
    let (timeline, system, expected) = (number(4, 4), number(24, 8), number(32, 4));
    let bytes = head.len() as u64 + count(reader)?;
    if bytes != expected {
        return Err(Fault::bad_at(format!("the segment has {bytes} bytes, its first page says {expected}"), bytes));
    }
    let mut inside = Inside {
        level: Some(Level::L3),
        summary: format!("a WAL segment of timeline {timeline}"),
        ..Inside::default()
    };
    inside.fact("system_identifier", &system);
    inside.fact("timeline", &timeline);
    Ok(inside)
}

fn plain_text(lines: &text::Lines, wrapped: Option<Level>) -> Inside {
    let mut inside = Inside { level: wrapped, summary: format!("{} lines of text", lines.lines), ..Inside::default() };
    inside.fact("lines", &lines.lines);
    inside.fact("content_bytes", &lines.bytes);
    if lines.binary {
        inside.notes.push("there are zero bytes in it: it is not all text".to_owned());
    }
    inside
}
