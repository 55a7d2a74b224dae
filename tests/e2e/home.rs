//! What every test has around it: a folder with a configuration, a bucket, a state folder, and the runs in it.

use crate::operator::Run;
use crate::proxy::Proxy;
use crate::s3::{BUCKET, KEY, S3Fixture, SECRET};
use relight::catalog::ScanStatus;
use relight::model::task::Values;
use relight::model::time::Clock as _;
use relight::runbook::{Mode, Plan, Runbook, load};
use relight::runner::runs::RunEntry;
use relight::runner::{Ground, RunFolder, module_rows, planner, runs, spawn};
use relight::session::scan_once;
use relight::wiring::{Setup, SystemClock, actor, setup};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

pub const RELIGHT: &str = env!("CARGO_BIN_EXE_relight");

pub struct Home {
    pub s3: S3Fixture,
    /// Stands before the S3 server; everything goes through it.
    pub proxy: Proxy,
    dir: TempDir,
}

impl Home {
    pub async fn new() -> Self {
        // The S3 and PostgreSQL clients take the process's provider; a second install keeps the first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let s3 = S3Fixture::start().await;
        let address = s3.server.endpoint().trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        let proxy = Proxy::start(address).await;
        let dir = tempfile::Builder::new().prefix("relight-e2e-").tempdir().unwrap();
        let home = Self { s3, proxy, dir };
        std::fs::create_dir(home.path("shelf")).unwrap();
        home.secret("secret", SECRET);
        home
    }

    /// A file that only its owner may read.
    pub fn secret(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
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

    /// The beginning of a configuration: the shop with its shelf, and its bucket below `prefix`.
    pub fn estate(&self, prefix: &str) -> String {
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
prefix = "{prefix}"
endpoint = "{endpoint}"
access_key_id = "{KEY}"
secret_access_key = {{ file = "secret" }}
"#
        )
    }

    /// Rewrites the configuration.
    pub fn reconfigure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(text)).unwrap();
    }

    async fn setup(&self) -> Setup {
        setup(Some(&self.config()), Some(&self.state())).await.unwrap()
    }

    /// The estate with a fresh catalog.
    pub async fn ground(&self) -> Ground {
        let setup = self.setup().await;
        let scanned = scan_once(&setup.parts(), &|_, _| {}).await;
        assert!(scanned.problems.is_empty(), "{:?}", scanned.problems);
        let unseen: Vec<_> = scanned.catalog.stores.iter().filter(|store| store.status != ScanStatus::Ok).collect();
        assert!(unseen.is_empty(), "{unseen:#?}");
        setup.ground(Arc::new(scanned.catalog))
    }

    pub async fn plan_of(&self, id: &str, given: Value) -> Result<Plan, Vec<String>> {
        self.plan_in(Mode::Real, id, given).await
    }

    pub async fn plan_in(&self, mode: Mode, id: &str, given: Value) -> Result<Plan, Vec<String>> {
        let ground = self.ground().await;
        let runbook = runbook(&ground, id);
        let Value::Object(values) = given else { panic!("not a table: {given}") };
        planner::make_plan(&ground, &runbook, &Values::from_iter(values), mode, |_| {}).await
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

    pub fn newest_run(&self) -> RunEntry {
        runs::list(&self.state()).unwrap().remove(0)
    }

    /// A name that the plan of the newest run gave.
    pub fn name(&self, of: &str) -> String {
        self.newest_run().state.unwrap().plan.names[of].as_str().unwrap().to_owned()
    }
}

/// A test that stops half-way leaves no runner behind.
impl Drop for Home {
    fn drop(&mut self) {
        crate::runners::end_all(&self.state());
    }
}

pub fn runbook(ground: &Ground, id: &str) -> Runbook {
    let (runbooks, errors) = load::all(&ground.estate.runbook_dirs, &module_rows(&ground.modules));
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    runbooks.into_iter().find(|runbook| runbook.id.as_str() == id).unwrap_or_else(|| panic!("no runbook {id}"))
}
