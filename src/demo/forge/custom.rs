//! Custom-format dumps: what `pg_dump --format=custom` of version 15 writes (archive version 1.14).
//!
//! The layout is that of `pg_backup_archiver.c` and `pg_backup_custom.c`: header, table of contents with
//! the offset of each data block, then the blocks, each a zlib stream cut into counted pieces.

use super::schema::{SERVER_VERSION, Schema};
use crate::model::time::Timestamp;
use chrono::{Datelike, Timelike};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

const SECTION_PRE_DATA: i32 = 2;
const SECTION_DATA: i32 = 3;
const SECTION_POST_DATA: i32 = 4;
const OFFSET_SET: u8 = 2;
const OFFSET_NO_DATA: u8 = 3;
const BLOCK_DATA: u8 = 1;
/// Size of the pieces that a stream is cut into.
const PIECE: usize = 4096;
const FIRST_OID: u32 = 16_384;
const CLASS_TABLE: u32 = 1259;
const CLASS_CONSTRAINT: u32 = 2606;
const CLASS_DATABASE: u32 = 1262;

struct Entry<'a> {
    class: u32,
    oid: u32,
    tag: String,
    kind: &'static str,
    section: i32,
    define: String,
    drop: String,
    copy: Option<String>,
    in_schema: bool,
    access: Option<&'static str>,
    owner: &'a str,
    needs: Vec<usize>,
    data: Option<&'a str>,
}

/// The whole dump of `schema`, begun at `at`.
pub fn dump(schema: &Schema<'_>, at: Timestamp) -> std::io::Result<Vec<u8>> {
    let entries = entries(schema);
    let blocks: Vec<Option<Vec<u8>>> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| entry.data.map(|rows| block(index, rows)).transpose())
        .collect::<std::io::Result<_>>()?;
    let head = head(schema, at);
    // Offsets have a fixed width, so a table of contents without them is as long as one with them.
    let blank = contents(&entries, &vec![Some(0); entries.len()]);
    let mut position = (head.len() + blank.len()) as u64;
    let offsets: Vec<Option<u64>> = blocks
        .iter()
        .map(|block| {
            block.as_ref().map(|bytes| {
                let start = position;
                position += bytes.len() as u64;
                start
            })
        })
        .collect();
    let mut out = head;
    out.extend(contents(&entries, &offsets));
    for block in blocks.into_iter().flatten() {
        out.extend(block);
    }
    Ok(out)
}

fn entries<'a>(schema: &'a Schema<'a>) -> Vec<Entry<'a>> {
    let settings = [
        ("ENCODING", "SET client_encoding = 'UTF8';\n"),
        ("STDSTRINGS", "SET standard_conforming_strings = 'on';\n"),
        ("SEARCHPATH", "SELECT pg_catalog.set_config('search_path', '', false);\n"),
    ];
    let mut out: Vec<Entry<'a>> = settings.into_iter().map(|(kind, text)| setting(kind, text)).collect();
    out.push(database(schema));
    let tables_at = out.len();
    let mut oid = FIRST_OID;
    let mut next_oid = || {
        oid += 1;
        oid
    };
    for table in &schema.tables {
        out.push(Entry {
            drop: format!("DROP TABLE public.{};\n", table.name),
            access: Some("heap"),
            ..in_schema(schema, next_oid(), table.name.to_owned(), "TABLE", SECTION_PRE_DATA, table.create())
        });
    }
    for view in schema.views {
        let drop = format!("DROP VIEW public.{};\n", view.name);
        let made = in_schema(schema, next_oid(), view.name.to_owned(), "VIEW", SECTION_PRE_DATA, view.create());
        out.push(Entry { drop, needs: (tables_at..tables_at + schema.tables.len()).collect(), ..made });
    }
    for (index, table) in schema.tables.iter().enumerate() {
        let made = in_schema(
            schema,
            FIRST_OID + 1 + index as u32,
            table.name.to_owned(),
            "TABLE DATA",
            SECTION_DATA,
            String::new(),
        );
        out.push(Entry { copy: Some(table.copy()), needs: vec![tables_at + index], data: Some(table.rows), ..made });
    }
    let afterwards_at = out.len();
    for item in schema.afterwards {
        let table = schema.tables.iter().position(|table| table.name == item.table).unwrap_or(0);
        let drop = if item.kind == "INDEX" {
            format!("DROP INDEX public.{};\n", item.name)
        } else {
            format!("ALTER TABLE ONLY public.{} DROP CONSTRAINT {};\n", item.table, item.name)
        };
        let made = in_schema(schema, next_oid(), item.tag(), item.kind, SECTION_POST_DATA, item.statement());
        let class = if item.kind == "INDEX" { CLASS_TABLE } else { CLASS_CONSTRAINT };
        let before = schema.afterwards.iter().position(|other| Some(other.name) == item.needs);
        let needs = [tables_at + table].into_iter().chain(before.map(|place| afterwards_at + place)).collect();
        out.push(Entry { class, drop, needs, ..made });
    }
    out
}

fn setting(kind: &'static str, text: &str) -> Entry<'static> {
    Entry {
        class: 0,
        oid: 0,
        tag: kind.to_owned(),
        kind,
        section: SECTION_PRE_DATA,
        define: text.to_owned(),
        drop: String::new(),
        copy: None,
        in_schema: false,
        access: None,
        owner: "",
        needs: Vec::new(),
        data: None,
    }
}

fn database<'a>(schema: &Schema<'a>) -> Entry<'a> {
    let define = format!(
        "CREATE DATABASE {} WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';\n",
        schema.database
    );
    Entry {
        class: CLASS_DATABASE,
        oid: FIRST_OID,
        tag: schema.database.to_owned(),
        define,
        drop: format!("DROP DATABASE {};\n", schema.database),
        owner: schema.owner,
        ..setting("DATABASE", "")
    }
}

fn in_schema<'a>(
    schema: &Schema<'a>,
    oid: u32,
    tag: String,
    kind: &'static str,
    section: i32,
    define: String,
) -> Entry<'a> {
    Entry { class: CLASS_TABLE, oid, tag, section, define, in_schema: true, owner: schema.owner, ..setting(kind, "") }
}

fn head(schema: &Schema<'_>, at: Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.extend(b"PGDMP");
    // Archive version 1.14.0, integers of 4 and offsets of 8 bytes, format 1 (custom).
    out.extend([1, 14, 0, 4, 8, 1]);
    // The compression level: the library's default.
    integer(&mut out, -1);
    for part in [at.second(), at.minute(), at.hour(), at.day(), at.month0()] {
        integer(&mut out, part as i32);
    }
    integer(&mut out, at.year() - 1900);
    integer(&mut out, 0);
    text(&mut out, Some(schema.database));
    text(&mut out, Some(SERVER_VERSION));
    text(&mut out, Some(SERVER_VERSION));
    out
}

/// The table of contents; an entry's number is its place, counted from 1.
fn contents(entries: &[Entry<'_>], offsets: &[Option<u64>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 * 1024);
    integer(&mut out, entries.len() as i32);
    for (index, (entry, offset)) in entries.iter().zip(offsets).enumerate() {
        integer(&mut out, index as i32 + 1);
        integer(&mut out, i32::from(entry.data.is_some()));
        text(&mut out, Some(&entry.class.to_string()));
        text(&mut out, Some(&entry.oid.to_string()));
        text(&mut out, Some(&entry.tag));
        text(&mut out, Some(entry.kind));
        integer(&mut out, entry.section);
        text(&mut out, Some(&entry.define));
        text(&mut out, Some(&entry.drop));
        text(&mut out, entry.copy.as_deref());
        text(&mut out, entry.in_schema.then_some("public"));
        text(&mut out, Some(""));
        text(&mut out, entry.access);
        text(&mut out, Some(entry.owner));
        text(&mut out, Some("false"));
        for needed in &entry.needs {
            text(&mut out, Some(&(needed + 1).to_string()));
        }
        text(&mut out, None);
        let state = if entry.data.is_some() { OFFSET_SET } else { OFFSET_NO_DATA };
        out.push(state);
        out.extend(offset.unwrap_or(0).to_le_bytes());
    }
    out
}

fn block(index: usize, rows: &str) -> std::io::Result<Vec<u8>> {
    let mut squeezed = ZlibEncoder::new(Vec::new(), Compression::default());
    squeezed.write_all(rows.as_bytes())?;
    squeezed.write_all(b"\\.\n\n\n")?;
    let squeezed = squeezed.finish()?;
    let mut out = vec![BLOCK_DATA];
    integer(&mut out, index as i32 + 1);
    for piece in squeezed.chunks(PIECE) {
        integer(&mut out, piece.len() as i32);
        out.extend(piece);
    }
    integer(&mut out, 0);
    Ok(out)
}

/// A sign byte, then the magnitude.
fn integer(out: &mut Vec<u8>, value: i32) {
    out.push(u8::from(value < 0));
    out.extend(value.unsigned_abs().to_le_bytes());
}

/// A length and the bytes; the length -1 for none.
fn text(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        None => integer(out, -1),
        Some(value) => {
            integer(out, value.len() as i32);
            out.extend(value.as_bytes());
        }
    }
}
