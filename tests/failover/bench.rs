//! Task modules over a configuration, without a run.

use relight::catalog::Catalog;
use relight::config;
use relight::model::actor::Actor;
use relight::model::estate::{Traffic, TrafficDns};
use relight::model::task::{TaskOutcome, Values};
use relight::tasks::context::{Cancel, Owner, TaskContext, TaskFeed};
use relight::tasks::module::Reality;
use relight::wiring::SystemClock;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

pub struct Bench {
    pub dir: TempDir,
    pub cx: TaskContext,
}

impl Bench {
    /// An estate with the asset `app` on the server `alpha`, which `more` describes.
    pub fn new(more: &str) -> Self {
        Self::in_folder(more, tempfile::Builder::new().prefix("rl-").tempdir().unwrap())
    }

    pub fn in_folder(more: &str, dir: TempDir) -> Self {
        let text = format!(
            "[estate]\nname = \"x\"\n[[stores]]\nid = \"s\"\ntype = \"local\"\npath = \"s\"\n\
             [[assets]]\nid = \"app\"\nkind = \"postgresql\"\nserver = \"alpha\"\ndatabase = \"app\"\n{more}"
        );
        let cx = context(dir.path(), &text);
        Self { dir, cx }
    }

    pub async fn run(&self, module: &str, input: &Values) -> TaskOutcome {
        relight::tasks::table::all().get(module).unwrap().run(&self.cx, input).await
    }

    pub async fn look(&self, module: &str, input: &Values) -> Reality {
        relight::tasks::table::all().get(module).unwrap().reconcile(&self.cx, input).await
    }

    pub fn dns(&self) -> &TrafficDns {
        match self.cx.estate.servers[0].traffic.as_ref() {
            Some(Traffic::Dns(dns)) => dns,
            other => panic!("{other:?}"),
        }
    }
}

fn context(dir: &Path, text: &str) -> TaskContext {
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
