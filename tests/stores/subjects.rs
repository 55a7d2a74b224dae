//! The stores under test, each with a way to change objects behind its back.

use crate::s3::{S3Fixture, TestSecrets};
use relight::model::estate::{StoreConfig, StorePlace};
use relight::stores::local::LocalStore;
use relight::stores::memory::MemoryStore;
use relight::stores::wrap::{Deadline, Faulty, Limit, Retry, RetryPolicy};
use relight::stores::{Patience, PruningStore, open_to_prune};
use std::sync::Arc;
use std::time::Duration;

type Put = Box<dyn Fn(&str, &[u8]) + Send + Sync>;

pub struct Subject {
    pub title: &'static str,
    pub store: Arc<dyn PruningStore>,
    put: Put,
    /// Whether a part between slashes may be longer than a file name.
    pub long_parts: bool,
    /// Whether a new object may have a name of any kind; the test server keeps a file per object beside
    /// it, whose name grows with the object's.
    pub long_new_names: bool,
    _keep: Box<dyn std::any::Any + Send>,
}

impl Subject {
    /// Puts or replaces an object without the store.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        (self.put)(name, bytes);
    }
}

fn memory(wrapped: bool) -> Subject {
    let shelf = Arc::new(MemoryStore::new("subject"));
    let put = Arc::clone(&shelf);
    let store: Arc<dyn PruningStore> = if wrapped {
        let second = Duration::from_secs(30);
        let timed = Deadline::new(Faulty::new(shelf), second, second);
        Arc::new(Retry::new(Limit::new(timed, 16, second), RetryPolicy::default()))
    } else {
        shelf
    };
    Subject {
        title: if wrapped { "memory, wrapped" } else { "memory" },
        store,
        put: Box::new(move |name, bytes| drop(put.put(name, bytes.to_vec()))),
        long_parts: true,
        long_new_names: true,
        _keep: Box::new(()),
    }
}

async fn local(opened: bool) -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    let store: Arc<dyn PruningStore> = if opened {
        let config = StoreConfig {
            id: "subject".into(),
            place: StorePlace::Local { path: root.clone() },
            site: "test".to_owned(),
            medium: "disk".to_owned(),
            time_zone: chrono_tz::UTC,
        };
        open_to_prune(&config, &TestSecrets, Patience::default()).await.unwrap()
    } else {
        Arc::new(LocalStore::new("subject", &root))
    };
    let put = move |name: &str, bytes: &[u8]| {
        let file = root.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    };
    Subject {
        title: if opened { "local, opened" } else { "local" },
        store,
        put: Box::new(put),
        long_parts: false,
        long_new_names: true,
        _keep: Box::new(folder),
    }
}

async fn s3(prefix: &'static str) -> Subject {
    let fixture = S3Fixture::start().await;
    // Beside the prefix: must never be seen.
    fixture.put("elsewhere/secret", b"outside");
    if prefix.is_empty() {
        std::fs::remove_dir_all(fixture.file("elsewhere")).unwrap();
    } else {
        fixture.put(&format!("{}-not", prefix.trim_end_matches('/')), b"outside");
    }
    let config = fixture.config("subject", prefix);
    let store = open_to_prune(&config, &TestSecrets, Patience::default()).await.unwrap();
    let fixture = Arc::new(fixture);
    let behind = Arc::clone(&fixture);
    Subject {
        title: if prefix.is_empty() { "S3" } else { "S3 below a prefix" },
        store,
        put: Box::new(move |name, bytes| behind.put(&format!("{prefix}{name}"), bytes)),
        long_parts: false,
        long_new_names: false,
        _keep: Box::new(fixture),
    }
}

pub async fn all() -> Vec<Subject> {
    vec![memory(false), memory(true), local(false).await, local(true).await, s3("").await, s3("estate/prod/").await]
}
