//! One cluster for all tests that run at the same time; each works on a database of its own in it.

use crate::postgres::{Cluster, SHOP};
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The database that every test's database is copied from.
const MODEL: &str = "model";
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Shop {
    pub cluster: Cluster,
    pub plain: Vec<u8>,
    pub custom: Vec<u8>,
    /// What [`Cluster::content`] tells of an undamaged database.
    pub content: String,
    next: AtomicU32,
    copying: Mutex<()>,
}

/// The cluster of the tests that run now; a new one when there is none.
pub fn shop() -> Arc<Shop> {
    static NOW: Mutex<Weak<Shop>> = Mutex::new(Weak::new());
    let mut now = NOW.lock().unwrap_or_else(PoisonError::into_inner);
    now.upgrade().unwrap_or_else(|| {
        let shop = Arc::new(Shop::open());
        *now = Arc::downgrade(&shop);
        shop
    })
}

impl Shop {
    /// A cluster of its own, for tests that break more than their database.
    pub fn open() -> Self {
        Self::open_with(&[])
    }

    /// The same, with settings of the server.
    pub fn open_with(settings: &[&str]) -> Self {
        let cluster = Cluster::start_with(settings);
        cluster.sql("postgres", &format!("CREATE DATABASE {MODEL}"));
        cluster.sql(MODEL, &SHOP.replace("20000", "4000").replace("30000", "6000"));
        let (plain, custom) = (cluster.dump(MODEL, "plain"), cluster.dump(MODEL, "custom"));
        let content = cluster.content(MODEL);
        Self { cluster, plain, custom, content, next: AtomicU32::new(1), copying: Mutex::new(()) }
    }

    /// A database with the shop in it, and nobody else's.
    pub fn database(&self) -> String {
        let name = format!("orders{}", self.next.fetch_add(1, Ordering::Relaxed));
        // Only one copy at a time: the model must have no other session.
        let _one = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
        self.cluster.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {MODEL}"));
        name
    }

    /// Changes a database as someone else would, and waits until the server has counted what was written.
    pub fn change(&self, database: &str, sql: &str) {
        self.cluster.sql(database, sql);
        self.wait_until(
            "the session left",
            &format!(
                "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'psql'"
            ),
        );
    }

    /// Waits until a query of the maintenance database gives true.
    pub fn wait_until(&self, what: &str, query: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.cluster.sql("postgres", query) != "t" {
            assert!(Instant::now() < deadline, "{what}: did not come true");
        }
    }

    /// Object id of a database; empty if there is none.
    pub fn oid(&self, database: &str) -> String {
        self.cluster.sql("postgres", &format!("SELECT oid FROM pg_database WHERE datname = '{database}'"))
    }

    /// Names of the databases that begin with `start`, in order.
    pub fn databases(&self, start: &str) -> Vec<String> {
        let query = format!("SELECT datname FROM pg_database WHERE datname LIKE '{start}\\_%' ORDER BY 1");
        self.cluster.sql("postgres", &query).lines().map(str::to_owned).collect()
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
