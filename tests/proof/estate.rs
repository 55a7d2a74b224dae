//! A small estate in memory: one asset, two stores, a catalog written by hand.

use relight::catalog::Catalog;
use relight::model::actor::Actor;
use relight::model::backup::{Backup, BackupKind, Copy, Labels, Sidecar, TimeSource};
use relight::model::estate::{Asset, AssetKind, Estate, StoreConfig, StorePlace, Tier};
use relight::model::objective::Objectives;
use relight::model::secret::{Secret, SecretRef, SecretSource};
use relight::model::task::{Failure, TaskOutcome, Values};
use relight::model::time::{FixedClock, Timestamp};
use relight::proof::{Ledger, Proofs};
use relight::stores::memory::MemoryStore;
use relight::stores::wrap::Faulty;
use relight::stores::{ObjectMeta, Store};
use relight::tasks::{Cancel, Owner, TaskContext, TaskFeed, table};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug)]
struct NoSecrets;

impl SecretSource for NoSecrets {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Err("there are none here".to_owned())
    }
}

pub struct Bench {
    pub near: Arc<Faulty<MemoryStore>>,
    pub far: Arc<Faulty<MemoryStore>>,
    pub catalog: Catalog,
    pub cancel: Cancel,
    state: tempfile::TempDir,
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn now() -> Timestamp {
    at("2026-11-21T04:00:00Z")
}

fn store_config(id: &str) -> StoreConfig {
    StoreConfig {
        id: id.into(),
        place: StorePlace::Local { path: PathBuf::from("/nowhere") },
        site: id.to_owned(),
        medium: "disk".to_owned(),
        time_zone: chrono_tz::Tz::UTC,
    }
}

impl Bench {
    pub fn new() -> Self {
        let store = |id: &str| Arc::new(Faulty::new(MemoryStore::new(id)));
        Self {
            near: store("near"),
            far: store("far"),
            catalog: Catalog::default(),
            cancel: Cancel::default(),
            state: tempfile::tempdir().unwrap(),
        }
    }

    /// Puts an object and gives the copy that a scan would make of it.
    pub fn put(store: &Arc<Faulty<MemoryStore>>, path: &str, bytes: &[u8]) -> Copy {
        copy_of(store.id().as_str(), &store.inner().put(path, bytes.to_vec()))
    }

    /// A folder of objects.
    pub fn put_tree(store: &Arc<Faulty<MemoryStore>>, prefix: &str, files: &[(String, Vec<u8>)]) -> Copy {
        let metas: Vec<ObjectMeta> =
            files.iter().map(|(name, bytes)| store.inner().put(&format!("{prefix}{name}"), bytes.clone())).collect();
        Copy {
            store: store.id().clone(),
            path: prefix.to_owned(),
            size_bytes: metas.iter().map(|m| m.size).sum(),
            modified_at: metas.iter().filter_map(|m| m.modified).max(),
            storage_class: None,
            etag: None,
            objects: metas.len() as u64,
        }
    }

    /// Adds a backup; newest must be added last.
    pub fn add(&mut self, taken_at: &str, copies: Vec<Copy>) -> &mut Backup {
        let taken_at = at(taken_at);
        let id = format!("orders-full-{}", taken_at.format("%Y%m%dT%H%M%SZ"));
        let backup = Backup {
            id: id.into(),
            asset: "orders".into(),
            kind: BackupKind::Full,
            taken_at,
            time_source: TimeSource::Name,
            ambiguous_with: None,
            size_bytes: copies.iter().map(|c| c.size_bytes).max().unwrap_or(0),
            complete: None,
            incomplete_because: Vec::new(),
            encrypted: None,
            content: None,
            copies,
            chain: None,
            sidecars: Vec::new(),
            proof: None,
            labels: Labels::new(),
        };
        self.catalog.backups.insert(0, backup);
        &mut self.catalog.backups[0]
    }

    pub async fn run(&self, module: &str, input: Value) -> TaskOutcome {
        let stores: BTreeMap<_, Arc<dyn Store>> =
            [&self.near, &self.far].map(|s| (s.id().clone(), Arc::clone(s) as Arc<dyn Store>)).into();
        let asset = Asset {
            id: "orders".into(),
            kind: AssetKind::PostgreSql,
            tier: Tier::Critical,
            objectives: Objectives::default(),
            sources: Vec::new(),
            server: None,
            database: None,
            path: None,
            trees: Vec::new(),
            images: None,
            health_url: None,
            drill: None,
        };
        let estate = Estate {
            name: "test".to_owned(),
            environment: "test".to_owned(),
            time_zone: chrono_tz::Tz::UTC,
            stores: vec![store_config("near"), store_config("far")],
            assets: vec![asset],
            servers: Vec::new(),
            hosts: Vec::new(),
            services: Vec::new(),
            jobs: Vec::new(),
            runbook_dirs: Vec::new(),
            approvers: vec![],
            quorum: 0,
        };
        let cx = TaskContext {
            estate: Arc::new(estate),
            stores: Arc::new(stores),
            writable: Arc::default(),
            catalog: Arc::new(self.catalog.clone()),
            clock: Arc::new(FixedClock(now())),
            secrets: Arc::new(NoSecrets),
            actor: Actor { name: "tester".to_owned(), host: "here".to_owned(), pid: 1 },
            owner: Owner::new("console", "step"),
            state_dir: self.state.path().to_owned(),
            work_dir: self.state.path().to_owned(),
            shelf: relight::tasks::Shelf::default(),
            feed: TaskFeed::silent(),
            cancel: self.cancel.clone(),
        };
        let Value::Object(input) = input else { panic!("an input is an object") };
        table::all().get(module).unwrap().run(&cx, &input).await
    }

    pub async fn resolve(&self, backup: &str) -> TaskOutcome {
        self.run("backup.resolve", json!({ "asset": "orders", "backup": backup, "store": "" })).await
    }

    /// Verifies at L4.
    pub async fn verify(&self, backup: &str, store: Option<&str>) -> TaskOutcome {
        self.run("backup.verify", json!({ "backup": backup, "store": store })).await
    }

    pub fn proofs(&self) -> Proofs {
        Ledger::in_state(self.state.path()).read().unwrap()
    }
}

pub fn copy_of(store: &str, meta: &ObjectMeta) -> Copy {
    Copy {
        store: store.into(),
        path: meta.name.clone(),
        size_bytes: meta.size,
        modified_at: meta.modified,
        storage_class: None,
        etag: meta.etag.clone(),
        objects: 1,
    }
}

pub fn sidecar(name: &str, sha256: Option<String>, facts: Vec<(String, String)>) -> Sidecar {
    Sidecar {
        name: name.to_owned(),
        store: "near".into(),
        path: name.to_owned(),
        pin: None,
        facts,
        sha256,
        disagreements: Vec::new(),
        warnings: Vec::new(),
    }
}

pub fn done(outcome: TaskOutcome) -> Values {
    match outcome {
        TaskOutcome::Done { output } => output,
        other => panic!("not done: {other:?}"),
    }
}

pub fn failed(outcome: TaskOutcome) -> Failure {
    match outcome {
        TaskOutcome::Failed { failure } => failure,
        other => panic!("not failed: {other:?}"),
    }
}

pub fn unknown(outcome: TaskOutcome) -> Failure {
    match outcome {
        TaskOutcome::Unknown { failure } => failure,
        other => panic!("not unknown: {other:?}"),
    }
}
