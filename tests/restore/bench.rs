//! What a module test needs around it: a cluster, a store with dumps, a context of one run.

use crate::postgres::{Cluster, SHOP};
use relight::catalog::Catalog;
use relight::model::actor::Actor;
use relight::model::content::{Content, Form, Wrapping};
use relight::model::estate::{Asset, AssetKind, Estate, Server, Tier, TlsMode};
use relight::model::objective::Objectives;
use relight::model::secret::{Secret, SecretRef, SecretSource};
use relight::model::task::{Failure, TaskOutcome, Values};
use relight::stores::memory::MemoryStore;
use relight::stores::{Pin, Store};
use relight::tasks::{Cancel, Owner, Reality, TaskContext, TaskFeed, table};
use relight::wiring::SystemClock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

#[derive(Debug)]
struct NoSecrets;

impl SecretSource for NoSecrets {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Err("there are none here".to_owned())
    }
}

pub struct Bench {
    pub cluster: Cluster,
    pub store: Arc<MemoryStore>,
    pub cx: TaskContext,
    pub work: tempfile::TempDir,
}

pub const STAMP: &str = "20261121_021500";

pub const FORMS: [(&str, &[Wrapping], Form); 5] = [
    ("plain.sql", &[], Form::PlainSql),
    ("plain.sql.gz", &[Wrapping::Gzip], Form::PlainSql),
    ("custom.dump", &[], Form::PgCustom),
    ("custom.dump.gz", &[Wrapping::Gzip], Form::PgCustom),
    ("custom.dump.zst", &[Wrapping::Zstd], Form::PgCustom),
];

pub fn wrapped(bytes: &[u8], wrapping: &[Wrapping]) -> Vec<u8> {
    wrapping.iter().rev().fold(bytes.to_vec(), |bytes, wrapping| match wrapping {
        Wrapping::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
        Wrapping::Zstd => zstd::encode_all(bytes.as_slice(), 1).unwrap(),
        other => panic!("no encoder for {other}"),
    })
}

pub fn estate(cluster: &Cluster) -> Estate {
    let server = Server {
        id: "main".into(),
        kind: AssetKind::PostgreSql,
        host: "127.0.0.1".to_owned(),
        port: cluster.port,
        user: "relight".to_owned(),
        password: None,
        tls: TlsMode::Off,
        maintenance_db: "postgres".to_owned(),
        bin_dir: Some(crate::postgres::BIN.into()),
        home: None,
        standby: None,
        leftovers: Vec::new(),
        vantage: Vec::new(),
        traffic: None,
    };
    let asset = Asset {
        id: "orders".into(),
        kind: AssetKind::PostgreSql,
        tier: Tier::Critical,
        objectives: Objectives::default(),
        sources: Vec::new(),
        server: Some("main".into()),
        database: Some("orders".to_owned()),
        path: None,
        trees: Vec::new(),
        images: None,
        health_url: None,
        drill: None,
    };
    Estate {
        name: "test".to_owned(),
        environment: "test".to_owned(),
        time_zone: chrono_tz::UTC,
        stores: Vec::new(),
        assets: vec![asset],
        servers: vec![server],
        hosts: Vec::new(),
        services: Vec::new(),
        jobs: Vec::new(),
        runbook_dirs: Vec::new(),
        approvers: vec![],
        quorum: 0,
    }
}

pub fn context(
    estate: Estate,
    stores: BTreeMap<relight::model::id::StoreId, Arc<dyn Store>>,
    work: &std::path::Path,
    run: &str,
) -> TaskContext {
    TaskContext {
        estate: Arc::new(estate),
        stores: Arc::new(stores),
        writable: Arc::default(),
        catalog: Arc::new(Catalog::default()),
        clock: Arc::new(SystemClock),
        secrets: Arc::new(NoSecrets),
        actor: Actor { name: "tester".to_owned(), host: "here".to_owned(), pid: 1 },
        owner: Owner::new(run, "step"),
        state_dir: work.to_owned(),
        work_dir: work.to_owned(),
        shelf: relight::tasks::Shelf::default(),
        feed: TaskFeed::silent(),
        cancel: Cancel::default(),
    }
}

impl Bench {
    /// A cluster whose database `orders` holds the shop.
    pub fn new() -> Self {
        let cluster = Cluster::start();
        cluster.sql("postgres", "CREATE DATABASE orders");
        cluster.sql("orders", SHOP);
        Self::around(cluster)
    }

    pub fn around(cluster: Cluster) -> Self {
        let store = Arc::new(MemoryStore::new("shelf"));
        let work = tempfile::tempdir().unwrap();
        let stores: BTreeMap<_, Arc<dyn Store>> = BTreeMap::from([("shelf".into(), store.clone() as Arc<dyn Store>)]);
        let cx = context(estate(&cluster), stores, work.path(), "r1");
        Self { cluster, store, cx, work }
    }

    /// Puts a dump of `orders` on the shelf and returns it as a source.
    pub fn shelve(&self, name: &str, bytes: Vec<u8>, wrapping: &[Wrapping], form: Form) -> Value {
        let meta = self.store.put(name, bytes);
        source(name, meta.size, &meta.pin(), wrapping, form)
    }

    pub fn dump(&self, form: Form) -> Vec<u8> {
        self.cluster.dump("orders", if form == Form::PlainSql { "plain" } else { "custom" })
    }

    pub async fn run(&self, module: &str, input: Value) -> TaskOutcome {
        self.run_in(&self.cx, module, input).await
    }

    pub async fn run_in(&self, cx: &TaskContext, module: &str, input: Value) -> TaskOutcome {
        table::all().get(module).unwrap_or_else(|| panic!("no module {module}")).run(cx, &map(input)).await
    }

    pub async fn reconcile(&self, module: &str, input: Value) -> Reality {
        table::all().get(module).unwrap().reconcile(&self.cx, &map(input)).await
    }

    pub async fn done(&self, module: &str, input: Value) -> Values {
        match self.run(module, input).await {
            TaskOutcome::Done { output } => output,
            other => panic!("{module}: {other:#?}"),
        }
    }

    pub async fn failed(&self, module: &str, input: Value) -> Failure {
        match self.run(module, input).await {
            TaskOutcome::Failed { failure } => failure,
            other => panic!("{module}: {other:#?}"),
        }
    }

    /// The input that the restore's steps share, from a fresh look at the server.
    pub async fn input(&self, source: Value) -> Value {
        let seen = self.done("pg.inspect", json!({ "asset": "orders" })).await;
        json!({
            "server": seen["server"], "system_identifier": seen["system_identifier"], "database": seen["database"],
            "live_oid": seen["oid"], "shape": seen["shape"], "side": format!("orders_restore_{STAMP}"),
            "aside": format!("orders_before_{STAMP}"), "source": source,
        })
    }
}

pub fn source(name: &str, size: u64, pin: &Pin, wrapping: &[Wrapping], form: Form) -> Value {
    json!({
        "backup": "orders-full-20261121T000000Z", "asset": "orders", "store": "shelf", "path": name, "size_bytes": size,
        "pin": pin, "content": Content { wrapped: wrapping.to_vec(), form }, "taken_at": "2026-11-21T00:00:00Z",
    })
}

pub fn with(mut input: Value, changes: Value) -> Value {
    let (Value::Object(into), Value::Object(from)) = (&mut input, changes) else { panic!("not tables") };
    into.extend(from);
    input
}

fn map(value: Value) -> Values {
    let Value::Object(map) = value else { panic!("not a table") };
    map
}

pub fn said(failure: &Failure) -> String {
    format!("{}\n{}\n{}\n{}", failure.what, failure.meaning, failure.next, failure.evidence.join("\n"))
}
