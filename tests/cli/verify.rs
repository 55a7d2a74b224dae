//! `relight verify`: what it prints, records and ends with.

use super::estate::{gzip, small};
use super::program::{json, stdout};

const NEWEST: &str = "orders-full-20260102T020000Z";
const DUMP: &str = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.4\nCREATE TABLE public.t (a integer);\n\
    COPY public.t (a) FROM stdin;\n1\n2\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n";

#[test]
fn a_good_backup_is_proven_and_shown_as_proven() {
    let sandbox = small("");
    sandbox.write("backups/orders_20260102_020000.sql.gz", gzip(DUMP));
    let document = json(&sandbox.relight(&["verify", "latest", "--json"]).assert().code(0));
    assert_eq!((&document["schema"], &document["backup"]), (&"relight.verify/1".into(), &NEWEST.into()));
    assert_eq!((&document["reached"], &document["failure"]), (&true.into(), &serde_json::Value::Null));
    let record = &document["record"];
    assert_eq!((&record["level"], &record["outcome"]), (&"L4".into(), &"passed".into()));
    assert_eq!((&record["facts"]["rows"], &record["facts"]["tables"]), (&"2".into(), &"1".into()));
    let catalog = json(&sandbox.relight(&["catalog", "--json"]).assert().code(0));
    assert_eq!(catalog["backups"][0]["proof"]["level"], "L4");
    let text = stdout(&mut sandbox.relight(&["verify", "latest-proven"]));
    assert!(text.starts_with(&format!("proven: {NEWEST} to L4\n")), "{text}");
    assert!(text.contains("plain SQL + gzip: 1 tables, 2 rows, end mark found"), "{text}");
}

#[test]
fn a_bad_backup_ends_with_two_and_an_unreachable_level_with_three() {
    let sandbox = small("");
    let whole = gzip(DUMP);
    sandbox.write("backups/orders_20260102_020000.sql.gz", &whole[..whole.len() - 9]);
    let bad = sandbox.relight(&["verify", NEWEST]).assert().code(2);
    let text = String::from_utf8(bad.get_output().stdout.clone()).unwrap();
    assert!(text.starts_with(&format!("BAD: {NEWEST} to L1\n")), "{text}");
    assert!(text.contains("ends in the middle of the gzip stream"), "{text}");
    assert!(text.contains("  next: choose another copy"), "{text}");
    let document =
        json(&sandbox.relight(&["verify", "orders-full-20260101", "--level", "L2", "--json"]).assert().code(3));
    assert!(document["failure"]["what"].as_str().unwrap().contains("L2 was asked for"), "{document}");
    sandbox.relight(&["verify", NEWEST, "--level", "L6"]).assert().code(64);
    sandbox.relight(&["verify", "nothing"]).assert().code(64);
}
