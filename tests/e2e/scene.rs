//! What one test has around it: a database, a folder and a bucket with backups, a configuration, a state
//! folder.

use crate::operator::Run;
use crate::proxy::Proxy;
use crate::s3::{BUCKET, KEY, S3Fixture, SECRET};
use crate::shop::{Shop, gzip, shop};
use relight::catalog::ScanStatus;
use relight::model::task::Values;
use relight::model::time::Clock as _;
use relight::runbook::{Mode, Plan, Runbook, load};
use relight::runner::{Ground, RunFolder, module_rows, planner, runs, spawn};
use relight::wiring::{Setup, SystemClock, actor, scan_once, setup};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

pub const RELIGHT: &str = env!("CARGO_BIN_EXE_relight");

/// Where a copy lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Folder,
    Bucket,
}

impl Place {
    pub const fn store(self) -> &'static str {
        match self {
            Place::Folder => "shelf",
            Place::Bucket => "bucket",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Plain,
    PlainGz,
    Custom,
    CustomGz,
}

impl Form {
    pub const ALL: [Form; 4] = [Form::Plain, Form::PlainGz, Form::Custom, Form::CustomGz];

    pub fn bytes(self, shop: &Shop) -> Vec<u8> {
        match self {
            Form::Plain => shop.plain.clone(),
            Form::PlainGz => gzip(&shop.plain),
            Form::Custom => shop.custom.clone(),
            Form::CustomGz => gzip(&shop.custom),
        }
    }
}

pub struct Scene {
    pub shop: Arc<Shop>,
    /// The live database.
    pub database: String,
    pub s3: S3Fixture,
    /// Stands before the S3 server; everything goes through it.
    pub proxy: Proxy,
    dir: TempDir,
}

/// Name of the only backup of a scene, in either store.
pub const OBJECT: &str = "orders_20260102_021500.dump";

impl Scene {
    /// The shop with its only backup at `place`, and the database damaged after it.
    pub async fn with(place: Place, bytes: impl FnOnce(&Shop) -> Vec<u8>) -> Self {
        Self::inside(shop(), place, bytes).await
    }

    pub async fn inside(shop: Arc<Shop>, place: Place, bytes: impl FnOnce(&Shop) -> Vec<u8>) -> Self {
        // The S3 and PostgreSQL clients take the process's provider; a second install keeps the first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = shop.database();
        let s3 = S3Fixture::start().await;
        let address = s3.server.endpoint().trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        let proxy = Proxy::start(address).await;
        let dir = tempfile::Builder::new().prefix("relight-e2e-").tempdir().unwrap();
        let scene = Self { shop, database, s3, proxy, dir };
        std::fs::create_dir(scene.path("shelf")).unwrap();
        std::fs::write(scene.path("secret"), SECRET).unwrap();
        std::fs::set_permissions(scene.path("secret"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(scene.config(), scene.config_text()).unwrap();
        scene.put(place, &bytes(&scene.shop));
        scene.shop.change(&scene.database, "DELETE FROM items; UPDATE orders SET customer = 'lost'");
        scene
    }

    fn config_text(&self) -> String {
        let (port, bin, database) = (self.shop.cluster.port, crate::postgres::BIN, &self.database);
        let endpoint = self.proxy.endpoint();
        format!(
            r#"
[estate]
name = "shop"
environment = "production"

[[stores]]
id = "shelf"
type = "local"
path = "shelf"

[[stores]]
id = "bucket"
type = "s3"
bucket = "{BUCKET}"
prefix = "db/"
endpoint = "{endpoint}"
access_key_id = "{KEY}"
secret_access_key = {{ file = "secret" }}

[[servers]]
id = "main"
host = "127.0.0.1"
port = {port}
user = "relight"
bin_dir = "{bin}"

[[assets]]
id = "orders"
kind = "postgresql"
rpo = "1h"
rto = "1h"
server = "main"
database = "{database}"

  [[assets.sources]]
  store = "shelf"
  match = "orders_{{time:%Y%m%d_%H%M%S}}.dump"
  kind = "full"

  [[assets.sources]]
  store = "bucket"
  match = "orders_{{time:%Y%m%d_%H%M%S}}.dump"
  kind = "full"
"#
        )
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("relight.toml")
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Puts or replaces the backup.
    pub fn put(&self, place: Place, bytes: &[u8]) {
        match place {
            Place::Folder => std::fs::write(self.path("shelf").join(OBJECT), bytes).unwrap(),
            Place::Bucket => self.s3.put(&format!("db/{OBJECT}"), bytes),
        }
    }

    async fn setup(&self) -> Setup {
        setup(Some(&self.config()), Some(&self.state())).await.unwrap()
    }

    /// The estate with a fresh catalog.
    pub async fn ground(&self) -> Ground {
        let setup = self.setup().await;
        let scanned = scan_once(&setup, &|_, _| {}).await;
        assert!(scanned.problems.is_empty(), "{:?}", scanned.problems);
        let unseen: Vec<_> = scanned.catalog.stores.iter().filter(|store| store.status != ScanStatus::Ok).collect();
        assert!(unseen.is_empty(), "{unseen:#?}");
        setup.ground(Arc::new(scanned.catalog))
    }

    pub async fn plan(&self, given: Value) -> Result<Plan, Vec<String>> {
        let ground = self.ground().await;
        let runbook = runbook(&ground, "restore-postgres");
        let Value::Object(mut values) = json!({ "asset": "orders", "backup": "latest" }) else { unreachable!() };
        let Value::Object(given) = given else { panic!("not a table: {given}") };
        values.extend::<Values>(given);
        planner::make_plan(&ground, &runbook, &values, Mode::Real, |_| {}).await
    }

    /// Puts the plan down as a run.
    pub fn create(&self, plan: &Plan) -> RunFolder {
        spawn::create(&self.state(), plan, &self.config(), &actor(), SystemClock.now()).unwrap()
    }

    /// Starts a process of the real program for the run.
    pub async fn start(&self, folder: &RunFolder) {
        spawn::start_with(Path::new(RELIGHT), folder, &self.state()).await.unwrap();
    }

    /// A run that has begun, with someone who watches it.
    pub async fn begin(&self, plan: &Plan) -> Run {
        let folder = self.create(plan);
        self.start(&folder).await;
        let run = Run::attach(&folder).await;
        run.begin().await;
        run
    }

    /// Object id under the live name and content: what must not change before the swap.
    pub fn production(&self) -> (String, String) {
        (self.shop.oid(&self.database), self.shop.cluster.content(&self.database))
    }
}

/// A test that stops half-way leaves no runner behind.
impl Drop for Scene {
    fn drop(&mut self) {
        // Only whoever holds a run's lock is its runner: a bare process id may be someone else's by now.
        for pid in runs::list(&self.state()).into_iter().flatten().filter_map(|entry| entry.runner) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

pub fn runbook(ground: &Ground, id: &str) -> Runbook {
    let (runbooks, errors) = load::all(&ground.estate.runbook_dirs, &module_rows(&ground.modules));
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    runbooks.into_iter().find(|runbook| runbook.id.as_str() == id).unwrap_or_else(|| panic!("no runbook {id}"))
}
