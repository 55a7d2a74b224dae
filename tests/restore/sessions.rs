//! A dump through several sessions at once: the same database as through one, and the same care when something breaks.

use crate::bench::{Bench, FORMS, said, with, wrapped};
use crate::postgres::Cluster;
use relight::model::content::Form;
use relight::model::task::TaskOutcome;
use relight::tasks::Reality;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SIDE: &str = "orders_restore_20261121_021500";

/// What an index or a foreign key of one table may need of another, in many kinds; and text that reads like a dump.
const KINDS: &str = r#"
    CREATE SCHEMA s; CREATE EXTENSION hstore;
    CREATE TYPE s.state AS ENUM ('new', 'done');
    CREATE TABLE s.wide (id int, word text COLLATE "C", state s.state, tags hstore, raw bytea, "odd, name" text, gone int);
    ALTER TABLE s.wide DROP COLUMN gone;
    INSERT INTO s.wide SELECT n, md5(n::text), CASE n % 2 WHEN 0 THEN 'new' ELSE 'done' END::s.state, hstore('k', n::text),
      decode(md5(n::text), 'hex'), repeat(E'tab\t back\\ new\n \\. end ', 20) FROM generate_series(1, 20000) n;
    ALTER TABLE s.wide ADD CONSTRAINT wide_pkey PRIMARY KEY (id);
    CREATE UNIQUE INDEX wide_word ON s.wide (lower(word)) INCLUDE (state) WHERE id > 0;
    CREATE INDEX wide_clustered ON s.wide (word); ALTER TABLE s.wide CLUSTER ON wide_clustered;
    CREATE STATISTICS s.wide_stats ON id, word FROM s.wide;
    COMMENT ON INDEX s.wide_word IS E'a comment;\n\n--\n-- Name: false; Type: INDEX; Schema: s; Owner: relight\n--\n\nCREATE INDEX false ON s.wide USING btree (id);\n';
    CREATE TABLE s.hen (id int PRIMARY KEY, egg int); CREATE TABLE s.egg (id int PRIMARY KEY, hen int REFERENCES s.hen);
    INSERT INTO s.hen SELECT n, n FROM generate_series(1, 3000) n; INSERT INTO s.egg SELECT n, n FROM generate_series(1, 3000) n;
    ALTER TABLE s.hen ADD FOREIGN KEY (egg) REFERENCES s.egg DEFERRABLE;
    ALTER TABLE s.hen ADD CONSTRAINT later FOREIGN KEY (egg) REFERENCES s.egg NOT VALID;
    CREATE TABLE s.part (id int, at date NOT NULL, wide int REFERENCES s.wide, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE s.part_1 PARTITION OF s.part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE s.part_2 PARTITION OF s.part FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
    CREATE INDEX part_wide ON s.part (wide);
    INSERT INTO s.part SELECT n, date '2026-01-01' + n % 50, n FROM generate_series(1, 5000) n;
    CREATE TABLE s.room (during tsrange, EXCLUDE USING gist (during WITH &&)); INSERT INTO s.room VALUES ('[2026-01-01,2026-01-02)');
    CREATE TABLE s.none (id int PRIMARY KEY); CREATE UNLOGGED TABLE s.fast (id int); INSERT INTO s.fast VALUES (1);
    CREATE TABLE s.made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, twice int GENERATED ALWAYS AS (1 + 1) STORED);
    INSERT INTO s.made SELECT FROM generate_series(1, 7);
    ALTER TABLE ONLY s.made REPLICA IDENTITY USING INDEX made_pkey;
    CREATE VIEW s.seen AS SELECT id, count(*) FROM s.wide GROUP BY id;
    CREATE VIEW s.by_key AS SELECT id, word FROM s.wide GROUP BY s.wide.id;
    CREATE MATERIALIZED VIEW s.kept AS SELECT id FROM s.hen; CREATE UNIQUE INDEX kept_id ON s.kept (id);
    CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
-- Name: nothing; Type: INDEX; Schema: s; Owner: relight
SET default_tablespace = nowhere;
COPY s.wide FROM stdin;
    RETURN NEW; END $f$;
    CREATE TRIGGER t BEFORE INSERT ON s.wide FOR EACH ROW EXECUTE FUNCTION s.f();
    CREATE RULE r AS ON DELETE TO s.none DO INSTEAD NOTHING;
    CREATE POLICY p ON s.wide USING (true); ALTER TABLE s.hen DISABLE TRIGGER ALL;
    SELECT lo_from_bytea(0, convert_to(repeat('large ', 5000), 'UTF8'));
    DO $$ BEGIN FOR n IN 1..400 LOOP EXECUTE format('CREATE TABLE s.many_%s (id int)', n); END LOOP; END $$;
    CREATE ROLE reader; GRANT SELECT ON s.wide TO reader;
"#;

/// Slow for whoever loads it: rows, an index, and a statement of the session that keeps the order.
const SLOW: &str = "CREATE FUNCTION s.slow(int) RETURNS bool IMMUTABLE LANGUAGE sql AS \
    $$SELECT CASE WHEN current_database() = 'orders' THEN true ELSE pg_sleep(0.001) IS NOT NULL END$$; \
    ALTER TABLE s.hen ADD CONSTRAINT slow CHECK (s.slow(id)); CREATE INDEX slow ON s.egg (s.slow(id)); \
    CREATE MATERIALIZED VIEW s.slow_view AS SELECT id FROM s.egg WHERE s.slow(id + 1)";

fn kinds() -> Bench {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE orders");
    cluster.sql("orders", KINDS);
    Bench::around(cluster)
}

/// Every definition of a database, and every row.
fn whole(cluster: &Cluster, database: &str) -> String {
    let mut definitions = cluster.program("pg_dump");
    let output = definitions.args(["--schema-only", "--dbname", database]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let text: Vec<_> = text.lines().filter(|line| !line.contains("restrict ")).collect();
    let rows = cluster.sql(
        database,
        "SELECT c.oid::regclass, query_to_xml(format('SELECT count(*), md5(string_agg(t::text, '','' ORDER BY t::text)) FROM %s t', \
         c.oid::regclass), true, true, '') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
         WHERE relkind IN ('r', 'm', 'p') AND nspname IN ('s', 'public') ORDER BY nspname, relname; \
         SELECT md5(lo_get(oid)) FROM pg_largeobject_metadata; SELECT last_value FROM s.made_id_seq; \
         SELECT starelid::regclass, stainherit, count(*) FROM pg_statistic WHERE starelid >= 16384 GROUP BY starelid, 2 ORDER BY starelid::regclass::text, 2",
    );
    format!("{}\n{rows}", text.join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn several_sessions_make_the_same_database_as_one() {
    let bench = kinds();
    bench.cluster.sql("orders", "ANALYZE");
    let original = whole(&bench.cluster, "orders");
    for (name, wrapping, form) in FORMS {
        let source = bench.shelve(name, wrapped(&bench.dump(form), wrapping), wrapping, form);
        let input = with(bench.input(source).await, json!({ "jobs": 4 }));
        bench.done("pg.create-side", input.clone()).await;
        let restored = bench.done("pg.restore", input.clone()).await;
        assert_eq!(restored["jobs"], json!(4), "{name}");
        bench.done("pg.validate", input.clone()).await;
        let found = whole(&bench.cluster, SIDE);
        let other: Vec<_> = original.lines().zip(found.lines()).filter(|(a, b)| a != b).take(5).collect();
        assert!(found == original, "{name}: {other:#?}");
        bench.done("pg.drop-side", input).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_names_the_line_of_the_dump_and_leaves_nothing_that_counts() {
    let bench = kinds();
    let dump = String::from_utf8(bench.dump(Form::PlainSql)).unwrap();
    let line_of = |text: &str, wanted: &str| text.lines().position(|line| line.starts_with(wanted)).unwrap() + 1;
    let bad_row = dump.replacen("\n15000\t", "\nfifteen\t", 1);
    let twice = dump.replacen("\n15001\t", "\n15000\t", 1);
    let orphan = dump.replacen("COPY s.hen (id, egg) FROM stdin;\n1\t1\n", "COPY s.hen (id, egg) FROM stdin;\n", 1);
    let typo = dump.replacen("CREATE INDEX wide_clustered ON s.wide", "\n\nCREATE INDEX wide_clustered ON s.wyde", 1);
    let unknown = dump.replacen("CREATE TYPE s.state", "CREATE TIPE s.state", 1);
    let reaching = dump.replacen("CREATE TYPE s.state", "DROP DATABASE postgres;\nCREATE TYPE s.state", 1);
    let setting = dump.replacen("SET row_security = off;", "SET row_insecurity = off;", 1);
    let cases = [
        (format!("line {} of the dump", line_of(&bad_row, "fifteen\t")), "invalid input syntax", bad_row),
        (
            format!("line {} of the dump", line_of(&twice, "    ADD CONSTRAINT wide_pkey") - 1),
            "could not create unique index",
            twice,
        ),
        (
            format!("line {} of the dump", line_of(&orphan, "    ADD CONSTRAINT egg_hen_fkey") - 1),
            "violates foreign key",
            orphan,
        ),
        (format!("line {} of the dump", line_of(&typo, "CREATE INDEX wide_clustered")), "s.wyde", typo),
        // `psql` counts up to the end of a statement.
        (format!("line {} of the dump", line_of(&unknown, "CREATE TIPE") + 3), "syntax error", unknown),
        (
            format!("line {} of the dump", line_of(&reaching, "DROP DATABASE")),
            "cannot run inside a transaction block",
            reaching,
        ),
        (format!("line {} of the dump", line_of(&setting, "SET row_insecurity")), "row_insecurity", setting),
    ];
    for (place, what, text) in cases {
        let source = bench.shelve("broken", text.into_bytes(), &[], Form::PlainSql);
        let input = with(bench.input(source).await, json!({ "jobs": 3 }));
        bench.done("pg.create-side", input.clone()).await;
        let failure = bench.failed("pg.restore", input.clone()).await;
        assert!(failure.what.contains(&place) && said(&failure).contains(what), "{place}: {}", said(&failure));
        assert!(matches!(bench.reconcile("pg.restore", input.clone()).await, Reality::NotDone(_)), "{place}");
        assert!(bench.failed("pg.swap", input.clone()).await.what.contains("no mark"), "{place}");
        bench.done("pg.drop-side", input).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_ended_in_the_middle_fails_the_load_and_the_next_attempt_is_whole() {
    let bench = kinds();
    bench.cluster.sql("orders", SLOW);
    let source = bench.shelve("slow", bench.dump(Form::PlainSql), &[], Form::PlainSql);
    let input = with(bench.input(source.clone()).await, json!({ "jobs": 3 }));
    for victim in ["COPY s.hen%", "%CREATE INDEX slow%", "REFRESH MATERIALIZED VIEW s.slow%"] {
        bench.done("pg.create-side", input.clone()).await;
        let end = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{SIDE}' AND state = 'active' AND query LIKE '{victim}'"
        );
        let ending = async {
            let deadline = Instant::now() + Duration::from_mins(1);
            while bench.cluster.sql("postgres", &end) == "0" {
                assert!(Instant::now() < deadline, "{victim} was not seen");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let (outcome, ()) = tokio::join!(bench.run("pg.restore", input.clone()), ending);
        let TaskOutcome::Failed { failure } = outcome else { panic!("{victim}: {outcome:?}") };
        let text = said(&failure);
        assert!(text.contains("terminating connection") || text.contains("closed"), "{victim}: {text}");
        assert!(matches!(bench.reconcile("pg.restore", input.clone()).await, Reality::NotDone(_)), "{victim}");
        bench.done("pg.drop-side", input.clone()).await;
    }
    bench.cluster.sql("orders", "DROP FUNCTION s.slow CASCADE");
    let source = bench.shelve("quick", bench.dump(Form::PlainSql), &[], Form::PlainSql);
    let input = with(bench.input(source).await, json!({ "jobs": 3 }));
    bench.done("pg.create-side", input.clone()).await;
    bench.cluster.sql(SIDE, "CREATE SCHEMA s; CREATE TABLE s.wide (id int)");
    bench.done("pg.restore", input.clone()).await;
    bench.done("pg.validate", input).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_no_dump_and_other_encodings_go_through_one_session() {
    let bench = Bench::new();
    let mut script = "CREATE TABLE t (id int PRIMARY KEY);\n".to_owned();
    (0..2000).for_each(|n| script.push_str(&format!("INSERT INTO t VALUES ({n});\n")));
    let latin =
        bench.cluster.program("pg_dump").args(["--encoding=LATIN1", "--dbname=orders"]).output().unwrap().stdout;
    for (name, bytes) in [("script", script.into_bytes()), ("latin", latin)] {
        let input = with(bench.input(bench.shelve(name, bytes, &[], Form::PlainSql)).await, json!({ "jobs": 4 }));
        bench.done("pg.create-side", input.clone()).await;
        let restored: Value = bench.done("pg.restore", input.clone()).await["jobs"].clone();
        assert_eq!(restored, json!(1), "{name}");
        bench.done("pg.drop-side", input).await;
    }
}

/// The key to a long table is checked by sorting, and the session plans as before afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_points_nowhere_is_found_in_long_tables_too() {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE orders");
    cluster.sql(
        "orders",
        "CREATE TABLE product (id int PRIMARY KEY); INSERT INTO product SELECT generate_series(1, 250000);
         CREATE TABLE sale (id int PRIMARY KEY, product int REFERENCES product);
         INSERT INTO sale SELECT n, n FROM generate_series(1, 3000) n",
    );
    let bench = Bench::around(cluster);
    let whole = String::from_utf8(bench.dump(Form::PlainSql)).unwrap();
    let orphan = whole.replacen("\n1500\n", "\n250001\n", 1);
    assert_ne!(orphan, whole);
    let line = whole.lines().position(|line| line.contains("ADD CONSTRAINT sale_product_fkey")).unwrap();
    let input = |name, text: String| bench.shelve(name, text.into_bytes(), &[], Form::PlainSql);
    let broken = with(bench.input(input("orphan", orphan)).await, json!({ "jobs": 2 }));
    bench.done("pg.create-side", broken.clone()).await;
    let failure = bench.failed("pg.restore", broken).await;
    assert!(failure.what.contains(&format!("line {line} of the dump")), "{}", said(&failure));
    assert!(said(&failure).contains("Key (product)=(1500) is not present"), "{}", said(&failure));
    let good = with(bench.input(input("whole", whole)).await, json!({ "jobs": 2 }));
    bench.done("pg.restore", good.clone()).await;
    bench.done("pg.validate", good).await;
}

/// An attempt that ends between the removal of the side database and its making.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_database_that_could_not_be_made_anew_is_made_by_the_next_attempt() {
    let bench = kinds();
    let dump = String::from_utf8(bench.dump(Form::PlainSql)).unwrap();
    let broken = bench.shelve("broken", dump.replacen("\n15000\t", "\nfifteen\t", 1).into_bytes(), &[], Form::PlainSql);
    let good = bench.shelve("good", dump.into_bytes(), &[], Form::PlainSql);
    let input = with(bench.input(broken).await, json!({ "jobs": 2 }));
    bench.done("pg.create-side", input.clone()).await;
    bench.failed("pg.restore", input).await;

    // Nobody can be made from a template that somebody is in.
    let template = |yes: &str| {
        let allow = format!("UPDATE pg_database SET datallowconn = {yes} WHERE datname = 'template0'");
        bench.cluster.sql("postgres", &allow);
    };
    template("true");
    let mut inside =
        bench.cluster.program("psql").args(["-X", "-c", "SELECT pg_sleep(60)", "template0"]).spawn().unwrap();
    let seen = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'template0' AND state = 'active'";
    let begun = Instant::now();
    while bench.cluster.sql("postgres", seen) == "0" {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody is in the template");
        std::thread::sleep(Duration::from_millis(20));
    }
    let input = with(bench.input(good).await, json!({ "jobs": 2 }));
    let failure = bench.failed("pg.restore", input.clone()).await;
    assert!(said(&failure).contains("template0"), "{}", said(&failure));
    assert!(matches!(bench.reconcile("pg.restore", input.clone()).await, Reality::NotDone(_)));
    bench.cluster.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'template0'");
    inside.wait().unwrap();
    template("false");

    // The next attempt made it, and ended before it had marked it.
    bench.cluster.sql("postgres", &format!("CREATE DATABASE {SIDE} TEMPLATE template0"));
    let Reality::NotDone(why) = bench.reconcile("pg.restore", input.clone()).await else { panic!("it is empty") };
    assert!(why.contains("made anew"), "{why}");
    bench.done("pg.restore", input.clone()).await;
    bench.done("pg.validate", input.clone()).await;

    // Without such an attempt, one that carries no mark is somebody else's.
    bench.done("pg.drop-side", input.clone()).await;
    bench.cluster.sql("postgres", &format!("CREATE DATABASE {SIDE} TEMPLATE template0"));
    assert!(matches!(bench.reconcile("pg.restore", input.clone()).await, Reality::Unknown(_)));
    assert!(bench.failed("pg.restore", input).await.what.contains("not made by this run"));
}
