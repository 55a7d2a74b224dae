//! A small estate in memory, and waiting for views.

use chrono::{DateTime, Duration, Utc};
use relight::model::actor::Actor;
use relight::model::estate::Estate;
use relight::model::id::StoreId;
use relight::model::secret::{Secret, SecretRef, SecretSource};
use relight::model::time::{Clock, Timestamp};
use relight::session::{Parts, Session, SessionHandle, View, start};
use relight::stores::memory::MemoryStore;
use relight::stores::wrap::Faulty;
use relight::stores::{Store, WritableStore};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A clock that a test moves.
#[derive(Clone, Debug)]
pub struct HandClock(pub Arc<Mutex<Timestamp>>);

impl HandClock {
    pub fn forward(&self, span: Duration) {
        *self.0.lock().unwrap() += span;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

#[derive(Debug)]
struct NoSecrets;

impl SecretSource for NoSecrets {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Err("there are none".to_owned())
    }
}

pub struct World {
    pub far: Arc<Faulty<MemoryStore>>,
    pub clock: HandClock,
    pub parts: Parts,
}

pub fn noon() -> Timestamp {
    DateTime::parse_from_rfc3339("2026-11-21T12:00:00Z").unwrap().to_utc()
}

const CONFIG: &str = r#"
[estate]
name = "test"
environment = "test"

[[stores]]
id = "near"
type = "local"
path = "/nowhere"

[[stores]]
id = "far"
type = "s3"
bucket = "b"
region = "us-east-1"
anonymous = true

[[assets]]
id = "db"
kind = "files"
rpo = "26h"

  [[assets.sources]]
  store = "near"
  match = "db/db_{time:%Y%m%d_%H%M%S}.tar"
  kind = "archive"
  every = "24h"

  [[assets.sources]]
  store = "far"
  match = "db/db_{time:%Y%m%d_%H%M%S}.tar"
  kind = "archive"
  every = "24h"
"#;

pub fn estate() -> Estate {
    relight::config::parse("relight.toml", CONFIG, Path::new("/")).expect("the test's configuration").estate
}

/// A tar archive with one file.
pub fn tar() -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(3);
    header.set_mode(0o644);
    out.append_data(&mut header, "a.txt", &b"abc"[..]).unwrap();
    out.into_inner().unwrap()
}

impl World {
    pub fn new(state: &Path) -> Self {
        let near = Arc::new(Faulty::new(MemoryStore::new("near")));
        let far = Arc::new(Faulty::new(MemoryStore::new("far")));
        for days in 0..3 {
            let at: DateTime<Utc> = noon() - Duration::hours(2) - Duration::days(days);
            let name = format!("db/db_{}.tar", at.format("%Y%m%d_%H%M%S"));
            near.inner().put_at(&name, tar(), at);
            far.inner().put_at(&name, tar(), at);
        }
        let clock = HandClock(Arc::new(Mutex::new(noon())));
        let stores: BTreeMap<StoreId, Arc<dyn Store>> = BTreeMap::from([
            (StoreId::new("near"), near as Arc<dyn Store>),
            (StoreId::new("far"), Arc::clone(&far) as Arc<dyn Store>),
        ]);
        let parts = Parts {
            estate: Arc::new(estate()),
            config_path: state.join("relight.toml"),
            stores: Arc::new(stores),
            writable: Arc::new(BTreeMap::<StoreId, Arc<dyn WritableStore>>::new()),
            clock: Arc::new(clock.clone()),
            secrets: Arc::new(NoSecrets),
            actor: Actor { name: "ann".into(), host: "ops1".into(), pid: 1 },
            identity: "anonymous".into(),
            state_dir: state.to_owned(),
            modules: relight::tasks::table::all(),
            runbooks: Arc::default(),
            runbook_errors: Arc::default(),
            rescan_every: std::time::Duration::from_mins(5),
            checklists: Arc::default(),
            leases: None,
            notes: Vec::new(),
        };
        Self { far, clock, parts }
    }

    pub fn start(&self) -> Session {
        start(self.parts.clone())
    }
}

/// Waits until a view is as wanted. The deadline is for a broken loop, not for a slow one.
pub async fn until(handle: &SessionHandle, what: &str, wanted: impl FnMut(&Arc<View>) -> bool) -> Arc<View> {
    let mut view = handle.view.clone();
    let wait = view.wait_for(wanted);
    if let Ok(view) = tokio::time::timeout(std::time::Duration::from_secs(30), wait).await {
        return Arc::clone(&view.expect("the session is alive"));
    }
    panic!("never came: {what}; last: {:#?}", handle.view.borrow().notices);
}
