//! Dumps into a database beside the live one, and the swap.

use crate::bench::{Bench, FORMS, said, with, wrapped};
use futures::StreamExt;
use relight::model::content::{Form, Wrapping};
use relight::model::task::TaskOutcome;
use relight::stores::{ByteStream, ObjectMeta, Page, Pin, Store, StoreError};
use relight::tasks::Reality;
use serde_json::{Value, json};

const SIDE: &str = "orders_restore_20261121_021500";
const ASIDE: &str = "orders_before_20261121_021500";

async fn restored(bench: &Bench, input: &Value) {
    bench.done("pg.create-side", input.clone()).await;
    bench.done("pg.restore", input.clone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_restores_to_the_same_content_and_swaps_in_and_back() {
    let bench = Bench::new();
    let original = bench.cluster.content("orders");
    let dumps: Vec<Value> = FORMS
        .iter()
        .map(|(name, wrapping, form)| bench.shelve(name, wrapped(&bench.dump(*form), wrapping), wrapping, *form))
        .collect();
    bench.cluster.sql("orders", "DELETE FROM items; UPDATE orders SET customer = 'lost'");
    let damaged = bench.cluster.content("orders");
    bench.cluster.sql(
        "postgres",
        "CREATE ROLE app; ALTER DATABASE orders SET search_path = \"$user\", public; ALTER ROLE app IN DATABASE orders SET work_mem = '8MB'; \
         ALTER DATABASE orders CONNECTION LIMIT 17; REVOKE CONNECT ON DATABASE orders FROM PUBLIC; GRANT CONNECT ON DATABASE orders TO app; \
         COMMENT ON DATABASE orders IS 'the shop''s'",
    );
    let settings = "SELECT datconnlimit, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a), shobj_description(oid, 'pg_database'), datallowconn, \
        (SELECT string_agg(setrole::regrole || setconfig::text, ';' ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid) \
        FROM pg_database d WHERE datname = 'orders'";
    let before = bench.cluster.sql("postgres", settings);
    for (dump, (name, _, _)) in dumps.iter().zip(FORMS) {
        for jobs in [1, 2] {
            let input = with(bench.input(dump.clone()).await, json!({ "jobs": jobs }));
            let mut guest = bench.cluster.guest("orders");
            restored(&bench, &input).await;
            let seen = bench.done("pg.validate", input.clone()).await;
            assert_eq!((&seen["tables"], &seen["rows"]), (&json!(3), &json!(50_003)), "{name}");
            assert_eq!(bench.cluster.content("orders"), damaged, "{name}: production is untouched before the swap");

            // The session of the look above ends a moment after its psql.
            let sessions =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = 'orders' AND backend_type = 'client backend'";
            while bench.cluster.sql("postgres", sessions) != "1" {
                std::thread::yield_now();
            }
            let swapped = bench.done("pg.swap", input.clone()).await;
            assert_eq!(swapped["sessions_ended"], json!(1), "{name}: {swapped:?}");
            guest.wait().unwrap();
            assert_eq!(bench.cluster.content("orders"), original, "{name} jobs {jobs}");
            assert_eq!(bench.cluster.content(ASIDE), damaged);
            assert_eq!(bench.cluster.sql("postgres", settings), before, "settings stay with the name");
            assert!(matches!(bench.reconcile("pg.swap", input.clone()).await, Reality::Done(_)));
            bench.failed("pg.drop-side", with(input.clone(), json!({ "side": ASIDE }))).await;

            bench.done("pg.swap-back", input.clone()).await;
            assert_eq!(bench.cluster.content("orders"), damaged);
            assert_eq!(bench.cluster.sql("postgres", settings), before);
            bench.done("pg.drop-side", input.clone()).await;
            assert_eq!(
                bench.cluster.sql("postgres", "SELECT count(*) FROM pg_database WHERE datname ~ 'orders_'"),
                "0"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_comes_back_under_its_name() {
    let bench = Bench::new();
    let original = bench.cluster.content("orders");
    let dump = bench.shelve("d", bench.dump(Form::PgCustom), &[], Form::PgCustom);
    bench.cluster.sql("postgres", "DROP DATABASE orders");
    let input = bench.input(dump).await;
    assert_eq!(input["live_oid"], Value::Null);
    restored(&bench, &input).await;
    let seen = bench.done("pg.validate", input.clone()).await;
    assert_eq!(seen["live_rows"], Value::Null);
    assert!(matches!(bench.reconcile("pg.swap", input.clone()).await, Reality::NotDone(_)));
    bench.done("pg.swap", input.clone()).await;
    assert_eq!(bench.cluster.content("orders"), original);
    assert!(matches!(bench.reconcile("pg.swap", input.clone()).await, Reality::Done(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_backups_stop_the_restore_and_leave_production_alone() {
    let bench = Bench::new();
    let before = bench.cluster.content("orders");
    let plain = bench.dump(Form::PlainSql);
    let text = String::from_utf8(plain.clone()).unwrap();
    let gz = wrapped(&plain, &[Wrapping::Gzip]);
    let custom = bench.dump(Form::PgCustom);
    let mut corrupt = custom.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 4000].fill(0xa5);
    let cut = text.find("CREATE INDEX").unwrap();
    let half = text.replacen(
        "CREATE INDEX items_by_order",
        "CREATE INDEX items_by_order_2 ON nowhere (x);\nCREATE INDEX items_by_order",
        1,
    );
    let line = text[..text.find("CREATE INDEX").unwrap()].lines().count() + 1;
    let stray = format!("{text}\n\\connect orders\nDELETE FROM items;\n");
    let mut broken_gz = gz.clone();
    let spot = broken_gz.len() / 2;
    broken_gz[spot] ^= 0xff;
    let cases: [(_, _, _, _, String); 7] = [
        ("truncated gzip", gz[..gz.len() - 500].to_vec(), vec![Wrapping::Gzip], Form::PlainSql, "ends early".into()),
        ("damaged gzip", broken_gz, vec![Wrapping::Gzip], Form::PlainSql, "damaged".into()),
        ("truncated plain", plain[..cut].to_vec(), vec![], Form::PlainSql, "without its end marker".into()),
        ("error halfway", half.into_bytes(), vec![], Form::PlainSql, format!("line {line} of the dump failed")),
        ("switching dump", stray.into_bytes(), vec![], Form::PlainSql, "command to psql".into()),
        ("corrupt custom", corrupt, vec![], Form::PgCustom, "pg_restore".into()),
        ("truncated custom", custom[..custom.len() - 9000].to_vec(), vec![], Form::PgCustom, "pg_restore".into()),
    ];
    for (name, bytes, wrapping, form, expected) in cases {
        let source = bench.shelve(name, bytes, &wrapping, form);
        for jobs in [1, 2] {
            let input = with(bench.input(source.clone()).await, json!({ "jobs": jobs }));
            bench.done("pg.create-side", input.clone()).await;
            let failure = bench.failed("pg.restore", input.clone()).await;
            assert!(said(&failure).contains(&expected), "{name}: {}", said(&failure));
            assert!(matches!(bench.reconcile("pg.restore", input.clone()).await, Reality::NotDone(_)), "{name}");
            let refused = bench.failed("pg.swap", input.clone()).await;
            assert!(refused.what.contains("no mark"), "{name}: {refused:?}");
            bench.done("pg.drop-side", input).await;
            assert_eq!(bench.cluster.content("orders"), before, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_object_is_not_restored() {
    let bench = Bench::new();
    let input = bench.input(bench.shelve("d", bench.dump(Form::PlainSql), &[], Form::PlainSql)).await;
    bench.done("pg.create-side", input.clone()).await;
    bench.store.put("d", bench.dump(Form::PlainSql));
    let failure = bench.failed("pg.restore", input.clone()).await;
    assert!(said(&failure).contains("replaced") || said(&failure).contains("changed"), "{}", said(&failure));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_starts_from_an_empty_database() {
    let bench = Bench::new();
    let original = bench.cluster.content("orders");
    let input = bench.input(bench.shelve("d", bench.dump(Form::PgCustom), &[], Form::PgCustom)).await;
    bench.done("pg.create-side", input.clone()).await;
    assert!(matches!(bench.reconcile("pg.create-side", input.clone()).await, Reality::Done(_)));
    bench.cluster.sql(SIDE, "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1)");
    let Reality::NotDone(why) = bench.reconcile("pg.restore", input.clone()).await else { panic!() };
    assert!(why.contains("partly filled"), "{why}");
    bench.done("pg.restore", input.clone()).await;
    assert_eq!(bench.cluster.content(SIDE), original);
    assert!(matches!(bench.reconcile("pg.restore", input.clone()).await, Reality::Done(_)));
    bench.cluster.sql(SIDE, "DELETE FROM items WHERE id = 7");
    let failure = bench.failed("pg.validate", input).await;
    assert!(said(&failure).contains("29999 rows, the dump 30000"), "{}", said(&failure));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_cannot_end_puts_everything_back() {
    let bench = Bench::new();
    let before = bench.cluster.content("orders");
    let input = bench.input(bench.shelve("d", bench.dump(Form::PgCustom), &[], Form::PgCustom)).await;
    restored(&bench, &input).await;

    bench.cluster.sql("postgres", &format!("CREATE DATABASE {ASIDE}"));
    let failure = bench.failed("pg.swap", input.clone()).await;
    assert!(failure.what.contains("taken"), "{failure:?}");
    bench.cluster.sql("postgres", &format!("DROP DATABASE {ASIDE}"));

    bench
        .cluster
        .sql("orders", "BEGIN; INSERT INTO \"odd \"\"schema\".\"no\\tes\" VALUES (99); PREPARE TRANSACTION 'held'");
    let failure = bench.failed("pg.swap", input.clone()).await;
    assert!(said(&failure).contains("held in orders"), "{failure:?}");
    bench.cluster.sql("orders", "ROLLBACK PREPARED 'held'");

    // The second rename fails inside the transaction: an event in between takes its name's place.
    bench.cluster.sql("postgres", "CREATE ROLE gone; ALTER ROLE gone IN DATABASE orders SET work_mem = '1MB'");
    bench.cluster.sql(
        "postgres",
        "UPDATE pg_db_role_setting SET setconfig = '{work_mem=nonsense}' WHERE setrole = 'gone'::regrole",
    );
    let failure = bench.failed("pg.swap", input.clone()).await;
    assert!(said(&failure).contains("as before"), "{}", said(&failure));
    assert_eq!(bench.cluster.content("orders"), before);
    assert_eq!(
        bench
            .cluster
            .sql("postgres", "SELECT count(*) FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'"),
        "0"
    );
    assert!(matches!(bench.reconcile("pg.swap", input.clone()).await, Reality::NotDone(_)));
    bench
        .cluster
        .sql("postgres", "UPDATE pg_db_role_setting SET setconfig = '{work_mem=2MB}' WHERE setrole = 'gone'::regrole");

    // A runner that died between closing and renaming: the look opens the databases again.
    let oid = &input["live_oid"];
    std::fs::write(bench.work.path().join("closed-databases.json"), format!("{{\"databases\":[[{oid},true]]}}"))
        .unwrap();
    bench.cluster.sql("postgres", "ALTER DATABASE orders ALLOW_CONNECTIONS false");
    assert!(matches!(bench.reconcile("pg.swap", input.clone()).await, Reality::NotDone(_)));
    assert_eq!(bench.cluster.content("orders"), before);

    let planned = with(input.clone(), json!({ "live_oid": 1 }));
    assert!(bench.failed("pg.swap", planned).await.what.contains("another database"));
    bench.done("pg.swap", input).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_moves_only_when_the_database_changes() {
    let bench = Bench::new();
    let ask = || bench.done("pg.identity", json!({ "server": "main", "database": "orders" }));
    let first = ask().await;
    bench.cluster.sql("orders", "SELECT count(*) FROM orders; ANALYZE; VACUUM");
    assert_eq!(ask().await["facts"], first["facts"]);
    bench.cluster.sql("orders", "UPDATE orders SET customer = 'x' WHERE id = 1");
    let written = ask().await;
    assert_ne!(written["facts"], first["facts"]);
    bench.cluster.sql("orders", "TRUNCATE items");
    assert_ne!(ask().await["facts"], written["facts"]);
    bench.cluster.sql("postgres", "ALTER DATABASE orders RENAME TO elsewhere");
    let gone = ask().await;
    assert!(gone["facts"].to_string().contains("there is no database of this name"), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_behind_the_address_is_refused() {
    let bench = Bench::new();
    let input = with(bench.input(json!({})).await, json!({ "system_identifier": "42" }));
    let failure = bench.failed("pg.create-side", input).await;
    assert!(failure.what.contains("not 42 as planned"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn preflight_names_everything_that_stands_against_the_restore() {
    let bench = Bench::new();
    let good = bench.shelve("d", bench.dump(Form::PgCustom), &[], Form::PgCustom);
    let seen = bench.done("pg.preflight", bench.input(good).await).await;
    assert!(seen["free_bytes"].as_u64().unwrap() > seen["need_bytes"].as_u64().unwrap(), "{seen:?}");

    bench.cluster.sql("postgres", "CREATE ROLE \"sales team\"");
    bench.cluster.sql("orders", "ALTER TABLE items OWNER TO \"sales team\"; GRANT SELECT ON orders TO \"sales team\"");
    let forms = [(Form::PgCustom, bench.dump(Form::PgCustom)), (Form::PlainSql, bench.dump(Form::PlainSql))];
    bench
        .cluster
        .sql("orders", "ALTER TABLE items OWNER TO relight; DROP OWNED BY \"sales team\"; DROP ROLE \"sales team\"");
    bench.cluster.sql("postgres", "CREATE DATABASE orders_before_20261121_021500");
    for (form, bytes) in forms {
        let bytes = if form == Form::PlainSql {
            String::from_utf8(bytes)
                .unwrap()
                .replace("from database version 15", "from database version 99")
                .into_bytes()
        } else {
            bytes
        };
        let input = bench.input(bench.shelve("foreign", bytes, &[], form)).await;
        let failure = said(&bench.failed("pg.preflight", input.clone()).await);
        assert!(failure.contains("sales team") && failure.contains("already taken"), "{failure}");
        assert_eq!(failure.contains("PostgreSQL 99"), form == Form::PlainSql, "{failure}");
        let input = with(input, json!({ "without_owners": true, "without_privileges": true }));
        bench.done("pg.create-side", input.clone()).await;
        bench.done("pg.restore", input.clone()).await;
        bench.done("pg.validate", input.clone()).await;
        bench.done("pg.drop-side", input).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_safety_dump_can_be_restored_and_says_when_there_is_nothing_to_dump() {
    let bench = Bench::new();
    let original = bench.cluster.content("orders");
    let input = with(bench.input(json!({})).await, json!({ "stamp": "20261121_021500" }));
    let made = bench.done("pg.safety-dump", input.clone()).await;
    assert_eq!((&made["tables"], &made["rows"]), (&json!(3), &json!(50_003)));
    let path = made["path"].as_str().unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(path).unwrap()) & 0o777, 0o600);
    let source = bench.shelve("safety", std::fs::read(path).unwrap(), &[], Form::PgCustom);
    let checked = with(source, json!({ "sha256": made["sha256"] }));
    let input = with(input, json!({ "source": checked }));
    restored(&bench, &input).await;
    assert_eq!(bench.cluster.content(SIDE), original);
    bench.cluster.sql("postgres", "DROP DATABASE orders");
    let failure = bench.failed("pg.safety-dump", input).await;
    assert!(failure.next.contains("skip"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_asked_again_until_it_is_good() {
    let bench = Bench::new();
    let (listener, url) = answering();
    let input = with(bench.input(json!({})).await, json!({ "url": url, "within": "30s" }));
    let served = tokio::task::spawn_blocking(move || {
        for answer in ["503 Service Unavailable", "302 Found\r\nlocation: /", "200 OK"] {
            let (mut line, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = std::io::Read::read(&mut line, &mut request).unwrap();
            std::io::Write::write_all(
                &mut line,
                format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes(),
            )
            .unwrap();
        }
    });
    let seen = bench.done("pg.health", input.clone()).await;
    served.await.unwrap();
    assert_eq!(seen["application"], json!("answered 200 after 3 attempts"));
    assert_eq!(bench.cluster.sql("orders", "SELECT count(*) FROM pg_namespace WHERE nspname ~ 'relight'"), "0");
    bench.cluster.sql("postgres", "ALTER DATABASE orders SET default_transaction_read_only = on");
    let failure = bench.failed("pg.health", with(input, json!({ "within": "2s" }))).await;
    assert!(failure.what.contains("read-only"), "{failure:?}");
}

fn answering() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/health", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_side_database_stops_the_restore() {
    let bench = Bench::new();
    let before = bench.cluster.content("orders");
    let place = bench.cluster.folder("small");
    let disk = SmallDisk::mount(&place);
    bench.cluster.give(&place);
    bench.cluster.sql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", place.display()));
    for form in [Form::PlainSql, Form::PgCustom] {
        let input = bench.input(bench.shelve("d", bench.dump(form), &[], form)).await;
        let mut shape = input["shape"].clone();
        shape["tablespace"] = json!("small");
        let input = with(input, json!({ "shape": shape, "jobs": 2 }));
        bench.done("pg.create-side", input.clone()).await;
        let failure = said(&bench.failed("pg.restore", input.clone()).await);
        assert!(failure.contains("No space left on device"), "{failure}");
        assert!(matches!(bench.reconcile("pg.restore", input.clone()).await, Reality::NotDone(_)));
        bench.done("pg.drop-side", input).await;
        assert_eq!(bench.cluster.content("orders"), before);
    }
    bench.cluster.sql("postgres", "DROP TABLESPACE small");
    drop(disk);
}

/// A filesystem of 8 MB: enough for an empty database, too small for the shop.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(place: &std::path::Path) -> Self {
        let done = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(place)
            .status()
            .unwrap();
        assert!(done.success(), "this test must be allowed to mount a small filesystem");
        Self(place.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").args(["--lazy"]).arg(&self.0).status();
    }
}

/// A stored dump that stops coming in the middle, until the task is told to stop.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_restore_leaves_no_session_behind() {
    let bench = Bench::new();
    for (form, jobs) in [(Form::PlainSql, 1), (Form::PgCustom, 1)] {
        let bytes = bench.dump(form);
        let mut cx = bench.cx.clone();
        cx.cancel = relight::tasks::Cancel::default();
        let stalling = std::sync::Arc::new(Stalling { inner: bench.store.clone(), after: bytes.len() / 2 });
        cx.stores = std::sync::Arc::new(std::collections::BTreeMap::from([(
            "shelf".into(),
            stalling as std::sync::Arc<dyn Store>,
        )]));
        let input = with(bench.input(bench.shelve("d", bytes, &[], form)).await, json!({ "jobs": jobs }));
        bench.done("pg.create-side", input.clone()).await;
        let cancel = cx.cancel.clone();
        let working = async {
            let busy = format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '{SIDE}' AND application_name = 'relight:r1:step'"
            );
            while bench.cluster.sql("postgres", &busy) == "0" {
                tokio::task::yield_now().await;
            }
            cancel.cancel(relight::model::task::CancelReason::Operator);
        };
        let (outcome, ()) = tokio::join!(bench.run_in(&cx, "pg.restore", input.clone()), working);
        assert!(matches!(outcome, TaskOutcome::Cancelled { .. }), "{outcome:?}");
        assert_eq!(
            bench.cluster.sql("postgres", &format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{SIDE}'")),
            "0"
        );
        assert_eq!(
            bench.cluster.sql(SIDE, "SELECT count(*) FROM pg_class WHERE relname = 'orders'"),
            "0",
            "nothing was committed"
        );
        assert!(matches!(bench.reconcile("pg.restore", input.clone()).await, Reality::NotDone(_)));
        bench.done("pg.restore", input.clone()).await;
        bench.done("pg.drop-side", input).await;
    }
}

#[derive(Debug)]
struct Stalling {
    inner: std::sync::Arc<relight::stores::memory::MemoryStore>,
    after: usize,
}

#[async_trait::async_trait]
impl Store for Stalling {
    fn id(&self) -> &relight::model::id::StoreId {
        self.inner.id()
    }
    fn location(&self) -> String {
        self.inner.location()
    }
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> futures::stream::BoxStream<'a, Result<Page, StoreError>> {
        self.inner.list(prefix, after)
    }
    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        self.inner.head(name).await
    }
    async fn read_pieces(
        &self,
        name: &str,
        range: std::ops::Range<u64>,
        pin: Option<&Pin>,
    ) -> Result<Vec<bytes::Bytes>, StoreError> {
        self.inner.read_pieces(name, range, pin).await
    }
    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        let first = self.inner.read_range(name, from..self.after as u64, pin).await?;
        Ok(futures::stream::once(async { Ok(first) }).chain(futures::stream::pending()).boxed())
    }
}

/// Naive: `psql` plays the dump, which first drops the live database and then goes on in the one that it made.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_makes_its_database_is_loaded_beside_the_live_one_all_the_same() {
    let bench = Bench::new();
    bench
        .cluster
        .sql("postgres", "ALTER DATABASE orders SET work_mem = '8MB'; COMMENT ON DATABASE orders IS 'the shop''s'");
    let original = bench.cluster.content("orders");
    let oid = || bench.cluster.sql("postgres", "SELECT oid FROM pg_database WHERE datname = 'orders'");
    let before = oid();
    for options in [&["--create"][..], &["--create", "--clean", "--if-exists"]] {
        let text = bench.cluster.dump_with("orders", options);
        assert!(String::from_utf8_lossy(&text).contains("\n\\connect orders\n"));
        let source = bench.shelve("created", text, &[], Form::PlainSql);
        for jobs in [1, 2] {
            let input = with(bench.input(source.clone()).await, json!({ "jobs": jobs }));
            restored(&bench, &input).await;
            let seen = bench.done("pg.validate", input.clone()).await;
            assert_eq!((&seen["tables"], &seen["rows"]), (&json!(3), &json!(50_003)), "{options:?} {jobs}");
            assert_eq!(bench.cluster.content(SIDE), original, "{options:?} {jobs}");
            assert_eq!((oid(), bench.cluster.content("orders")), (before.clone(), original.clone()));
            bench.done("pg.drop-side", input).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_goes_to_another_database_than_its_own_is_refused() {
    let bench = Bench::new();
    let text = String::from_utf8(bench.cluster.dump_with("orders", &["--create"])).unwrap();
    let elsewhere = text.replacen("\\connect orders", "\\connect postgres", 1);
    let source = bench.shelve("elsewhere", elsewhere.into_bytes(), &[], Form::PlainSql);
    let input = bench.input(source).await;
    bench.done("pg.create-side", input.clone()).await;
    let failure = bench.failed("pg.restore", input).await;
    assert!(said(&failure).contains("a command to psql: \\connect postgres"), "{failure:#?}");
}
