//! What is read from real dumps is what PostgreSQL's own programs and the server say.

use crate::artefacts::{artefacts, prove};
use relight::model::content::Form;
use relight::model::proof::{Level, ProofOutcome};
use relight::proof::pgdump::{DataState, Entry, read_toc};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn every_form_is_proven_to_its_contents() {
    for dump in &artefacts().dumps {
        let examined = prove(&dump.bytes);
        assert_eq!(examined.outcome, ProofOutcome::Passed, "{}: {}", dump.name, examined.detail);
        assert_eq!(examined.level, Level::L4, "{}: {}", dump.name, examined.detail);
        assert_eq!((&examined.content.wrapped, examined.content.form), (&dump.wrapped, dump.form), "{}", dump.name);
        let digests = examined.digests.unwrap();
        assert_eq!(digests.bytes, dump.bytes.len() as u64);
        let version = &examined.inside.facts["server_version"];
        assert!(version.starts_with(&artefacts().server_version), "{version}");
    }
}

#[test]
fn row_counts_are_those_of_the_server() {
    for name in ["plain", "plain.gz", "plain.zst", "custom", "custom.gz", "custom-0", "custom-pipe"] {
        let examined = prove(&artefacts().dump(name).bytes);
        let rows: BTreeMap<String, u64> =
            examined.inside.rows.iter().map(|r| (format!("{}.{}", r.schema, r.table), r.rows.unwrap())).collect();
        assert_eq!(rows, artefacts().rows, "{name}");
        assert_eq!(examined.inside.facts["rows"], artefacts().rows.values().sum::<u64>().to_string());
    }
    let inserts = prove(&artefacts().dump("inserts").bytes);
    assert_eq!(inserts.inside.facts["insert_statements"], artefacts().rows.values().sum::<u64>().to_string());
}

/// A line as `pg_restore --list` prints it.
fn listed(entry: &Entry) -> String {
    let schema = entry.schema.as_deref().unwrap_or("-");
    format!("{}; {} {} {} {schema} {} {}", entry.id, entry.table_oid, entry.oid, entry.kind, entry.tag, entry.owner)
        .trim_end()
        .to_owned()
}

#[test]
fn the_table_of_contents_is_that_of_pg_restore() {
    let expected: BTreeSet<String> =
        artefacts().list.lines().filter(|l| !l.starts_with(';')).map(|l| l.trim_end().to_owned()).collect();
    assert!(expected.len() > 25, "{}", artefacts().list);
    let toc = read_toc(artefacts().dump("custom").bytes.as_slice()).unwrap();
    // pg_restore lists neither its own settings nor the database itself.
    let unlisted = ["ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE"];
    let found: BTreeSet<String> =
        toc.entries.iter().filter(|e| !unlisted.contains(&e.kind.as_str())).map(listed).collect();
    assert_eq!(found, expected);
    let said = |key: &str| {
        let line = artefacts().list.lines().find(|l| l.contains(key)).unwrap();
        line.split_once(key).unwrap().1.trim().to_owned()
    };
    assert_eq!(toc.entries.len().to_string(), said("TOC Entries:"));
    assert_eq!(toc.header.database, said("dbname:"));
    assert_eq!(toc.header.server_version, said("Dumped from database version:"));
    assert_eq!(toc.header.dump_version, said("Dumped by pg_dump version:"));
    let (major, minor, revision) = toc.header.version;
    assert_eq!(format!("{major}.{minor}-{revision}"), said("Dump Version:"));
    let created = artefacts().list.lines().find_map(|l| l.strip_prefix("; Archive created at ")).unwrap();
    assert_eq!(toc.header.created.unwrap().format("%Y-%m-%d %H:%M:%S").to_string(), created[..19]);
}

#[test]
fn roles_tables_and_places_are_found() {
    let toc = read_toc(artefacts().dump("custom").bytes.as_slice()).unwrap();
    assert_eq!(toc.roles().into_iter().collect::<Vec<_>>(), ["reader", "relight", "shop owner"]);
    assert!(toc.has_acls());
    let tables: BTreeSet<_> = toc.tables().collect();
    assert!(tables.contains(&("stock", "Odd \"name\".x")) && tables.contains(&("public", "parts_2026")), "{tables:?}");
    assert!(toc.of_kind("TABLE DATA").all(|e| matches!(e.data, DataState::At(_)) && e.copies));
    let piped = read_toc(artefacts().dump("custom-pipe").bytes.as_slice()).unwrap();
    assert!(piped.of_kind("TABLE DATA").all(|e| e.data == DataState::Somewhere));
    let large = prove(&artefacts().dump("custom").bytes).inside.facts["large_objects"].clone();
    assert_eq!(large, "2");
}

#[test]
fn the_head_is_enough_for_the_table_of_contents() {
    let dump = artefacts().dump("custom");
    let toc = read_toc(dump.bytes.as_slice()).unwrap();
    let head = &dump.bytes[..toc.length as usize];
    assert_eq!(read_toc(head).unwrap(), toc);
    assert!(read_toc(&head[..head.len() - 1]).is_err());
    assert_eq!(relight::catalog::sniff::sniff(head).form, Form::PgCustom);
}

#[test]
fn json_lines_are_well_formed_line_by_line_plain_and_compressed() {
    use crate::artefacts::{gzip, prove};
    use relight::model::proof::{Level, ProofOutcome};
    let line = |n: u32| format!("{{\"id\": {n}, \"tags\": [\"a\", \"b\"]}}\n");
    let lines = (0..5_000).map(line).collect::<Vec<_>>().concat();
    for (bytes, content) in [
        (lines.clone().into_bytes(), "JSON"),
        (gzip(lines.as_bytes()), "JSON + gzip"),
        (zstd::encode_all(lines.as_bytes(), 3).unwrap(), "JSON + zstd"),
    ] {
        let examined = prove(&bytes);
        assert_eq!((examined.outcome, examined.level), (ProofOutcome::Passed, Level::L4), "{}", examined.detail);
        assert_eq!(examined.content.to_string(), content);
        assert_eq!(examined.inside.facts["documents"], "5000");
        assert!(examined.detail.contains("well-formed JSON Lines, 5000 documents"), "{}", examined.detail);
    }
    let damaged = lines.replacen("\"id\": 4000,", "\"id\" 4000,", 1);
    let examined = prove(&gzip(damaged.as_bytes()));
    assert_eq!((examined.outcome, examined.level), (ProofOutcome::Failed, Level::L3), "{}", examined.detail);
    assert!(examined.detail.contains("not well-formed JSON at line 4001"), "{}", examined.detail);
}
