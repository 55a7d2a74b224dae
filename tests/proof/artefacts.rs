//! One real database, dumped in every form, made once for all tests.

use crate::postgres::Cluster;
use relight::model::content::{Form, Wrapping};
use relight::model::proof::Level;
use relight::proof::layers::Limits;
use relight::proof::source::Unwatched;
use relight::proof::{Examined, Job, Recorded, examine};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;
use std::sync::OnceLock;

pub struct Dump {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub wrapped: Vec<Wrapping>,
    pub form: Form,
}

pub struct Artefacts {
    pub dumps: Vec<Dump>,
    /// `pg_restore --list` of the custom dump.
    pub list: String,
    /// Rows by `schema.table`, as the server counts them.
    pub rows: BTreeMap<String, u64>,
    pub server_version: String,
}

impl Artefacts {
    pub fn dump(&self, name: &str) -> &Dump {
        self.dumps.iter().find(|d| d.name == name).unwrap()
    }
}

const SCHEMA: &str = r#"
CREATE ROLE "shop owner"; CREATE ROLE reader;
CREATE SCHEMA stock;
CREATE TABLE public.customers (id serial PRIMARY KEY, name text NOT NULL, note text);
CREATE TABLE public.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer integer REFERENCES public.customers, total numeric CHECK (total >= 0), made timestamptz, blob bytea);
CREATE TABLE stock."Odd ""name"".x" (k text, v text DEFAULT E'it\'s; \\ "x"');
CREATE TABLE public.empty (a int);
CREATE TABLE public.parts (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE public.parts_2026 PARTITION OF public.parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX orders_made ON public.orders (made);
CREATE VIEW public.totals AS SELECT customer, sum(total) AS sum FROM public.orders GROUP BY customer;
CREATE FUNCTION public.tricky() RETURNS text LANGUAGE plpgsql AS $body$ BEGIN
RETURN $x$
COPY public.orders FROM stdin;
-- PostgreSQL database dump complete
$x$; END $body$;
ALTER TABLE public.orders OWNER TO "shop owner";
GRANT SELECT ON public.orders TO reader;
COMMENT ON TABLE public.orders IS 'what people bought; -- not a comment';
INSERT INTO public.customers (name, note)
  SELECT 'name ' || g, E'tab\t newline\n backslash \\ end \\.' FROM generate_series(1, 500) g;
INSERT INTO public.customers (name, note) VALUES ('x', E'\\.'), ('y', E'\n\\.\n'), ('z', NULL);
INSERT INTO public.orders (customer, total, made, blob)
  SELECT 1 + g % 500, g * 1.25, '2026-01-01'::timestamptz + g * interval '1 hour',
         decode(md5(g::text) || md5((g * 7)::text), 'hex') FROM generate_series(1, 3000) g;
INSERT INTO stock."Odd ""name"".x" VALUES ('COPY a FROM stdin;', '-- PostgreSQL database dump complete');
INSERT INTO public.parts SELECT g, '2026-01-01'::date + g FROM generate_series(1, 40) g;
SELECT lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex'));
SELECT lo_from_bytea(0, 'second');
"#;

pub fn artefacts() -> &'static Artefacts {
    static MADE: OnceLock<Artefacts> = OnceLock::new();
    MADE.get_or_init(make)
}

fn make() -> Artefacts {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE shop");
    cluster.sql("shop", SCHEMA);
    let plain = output(&cluster, "pg_dump", &["-d", "shop"]);
    let folder = cluster.folder("dumps");
    // Written to a file, pg_dump goes back and fills in the places of the data; to a pipe it cannot.
    let file = |name: &str, args: &[&str]| {
        let path = folder.join(name);
        let path = path.to_str().unwrap();
        output(&cluster, "pg_dump", &[&["-d", "shop", "-Fc", "-f", path], args].concat());
        std::fs::read(path).unwrap()
    };
    let custom = file("custom", &[]);
    let list = restore_list(&cluster, &custom);
    let sql = |name, bytes, wrapped: &[Wrapping]| Dump { name, bytes, wrapped: wrapped.to_vec(), form: Form::PlainSql };
    let pg = |name, bytes, wrapped: &[Wrapping]| Dump { name, bytes, wrapped: wrapped.to_vec(), form: Form::PgCustom };
    let dumps = vec![
        sql("plain.gz", gzip(&plain), &[Wrapping::Gzip]),
        sql("plain.zst", zstd::encode_all(plain.as_slice(), 3).unwrap(), &[Wrapping::Zstd]),
        sql("plain.xz", xz(&plain), &[Wrapping::Xz]),
        sql("plain.lz4", lz4(&plain), &[Wrapping::Lz4]),
        sql("plain", plain, &[]),
        sql("inserts", output(&cluster, "pg_dump", &["-d", "shop", "--inserts"]), &[]),
        sql("cluster", output(&cluster, "pg_dumpall", &[]), &[]),
        pg("custom.gz", gzip(&custom), &[Wrapping::Gzip]),
        pg("custom.bz2", bzip2(&custom), &[Wrapping::Bzip2]),
        pg("custom", custom, &[]),
        pg("custom-0", file("custom-0", &["-Z0"]), &[]),
        pg("custom-pipe", output(&cluster, "pg_dump", &["-d", "shop", "-Fc"]), &[]),
        pg("custom-schema", file("custom-schema", &["--schema-only"]), &[]),
    ];
    let tables = cluster.sql(
        "shop",
        "SELECT format('%s.%s', nspname, relname) || E'\\t' || format('%I.%I', nspname, relname)
         FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE relkind = 'r' AND nspname IN ('public', 'stock')",
    );
    let rows = tables
        .lines()
        .map(|line| {
            let (name, quoted) = line.split_once('\t').unwrap();
            (name.to_owned(), cluster.sql("shop", &format!("SELECT count(*) FROM {quoted}")).parse().unwrap())
        })
        .collect();
    Artefacts { dumps, list, rows, server_version: cluster.sql("shop", "SHOW server_version") }
}

fn output(cluster: &Cluster, program: &str, args: &[&str]) -> Vec<u8> {
    let ended = cluster.program(program).args(args).output().unwrap();
    assert!(ended.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&ended.stderr));
    ended.stdout
}

fn restore_list(cluster: &Cluster, dump: &[u8]) -> String {
    let mut child =
        cluster.program("pg_restore").arg("--list").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // It closes its end as soon as it has read the table of contents.
    let _ = child.stdin.take().unwrap().write_all(dump);
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    String::from_utf8(out.stdout).unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(6)).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// With a checksum of the content, as the `lz4` program writes it.
fn lz4(bytes: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A pass over bytes in memory, at L4.
pub fn prove(bytes: &[u8]) -> Examined {
    prove_with(bytes, Level::L4, Recorded::default())
}

pub fn prove_with(bytes: &[u8], wanted: Level, recorded: Recorded) -> Examined {
    let job = Job {
        wanted,
        size: bytes.len() as u64,
        recorded,
        limits: Limits::default(),
        watch: &Unwatched,
        identity: true,
        now_at: &|_| (),
    };
    examine(bytes, &job)
}
