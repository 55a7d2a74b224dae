//! What task modules are given, over a configuration and without a run.

use relight::catalog::Catalog;
use relight::config;
use relight::model::actor::Actor;
use relight::tasks::context::{Cancel, Owner, TaskContext, TaskFeed};
use relight::wiring::SystemClock;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// `text` is an estate whose paths begin in `dir`; no store of it is opened.
pub fn context(dir: &Path, text: &str) -> TaskContext {
    let estate = config::parse("relight.toml", text, dir).unwrap_or_else(|problems| panic!("{problems}")).estate;
    TaskContext {
        estate: Arc::new(estate),
        stores: Arc::default(),
        writable: Arc::new(BTreeMap::new()),
        catalog: Arc::new(Catalog::default()),
        clock: Arc::new(SystemClock),
        secrets: Arc::new(config::SystemSecrets),
        actor: Actor { name: "t".to_owned(), host: "h".to_owned(), pid: 1 },
        owner: Owner::new("run", "step"),
        state_dir: dir.to_owned(),
        work_dir: dir.to_owned(),
        shelf: relight::tasks::Shelf::default(),
        feed: TaskFeed::silent(),
        cancel: Cancel::default(),
    }
}
