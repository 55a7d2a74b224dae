//! Plain SQL dumps: what `pg_dump` writes without `--format`.

use super::schema::{SERVER_VERSION, Schema};

const SETTINGS: &str = "SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

";

/// The whole dump as text.
pub fn dump(schema: &Schema<'_>) -> String {
    let rows: usize = schema.tables.iter().map(|table| table.rows.len()).sum();
    let mut out = String::with_capacity(rows + 8192);
    out.push_str("--\n-- PostgreSQL database dump\n--\n\n");
    out.push_str(&format!("-- Dumped from database version {SERVER_VERSION}\n"));
    out.push_str(&format!("-- Dumped by pg_dump version {SERVER_VERSION}\n\n"));
    out.push_str(SETTINGS);
    out.push_str("SET default_tablespace = '';\n\nSET default_table_access_method = heap;\n\n");
    for table in &schema.tables {
        heading(&mut out, "", table.name, "TABLE", schema.owner);
        out.push_str(&table.create());
        out.push_str(&format!("\n\nALTER TABLE public.{} OWNER TO {};\n\n", table.name, schema.owner));
    }
    for view in schema.views {
        heading(&mut out, "", view.name, "VIEW", schema.owner);
        out.push_str(&view.create());
        out.push_str(&format!("\n\nALTER TABLE public.{} OWNER TO {};\n\n", view.name, schema.owner));
    }
    for table in &schema.tables {
        heading(&mut out, "Data for ", table.name, "TABLE DATA", schema.owner);
        out.push_str(&table.copy());
        out.push_str(table.rows);
        out.push_str("\\.\n\n\n");
    }
    for item in schema.afterwards {
        heading(&mut out, "", &item.tag(), item.kind, schema.owner);
        out.push_str(&item.statement());
        out.push_str("\n\n");
    }
    out.push_str("--\n-- PostgreSQL database dump complete\n--\n\n");
    out
}

fn heading(out: &mut String, before: &str, name: &str, kind: &str, owner: &str) {
    out.push_str(&format!("--\n-- {before}Name: {name}; Type: {kind}; Schema: public; Owner: {owner}\n--\n\n"));
}
