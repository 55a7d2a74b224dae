//! Task modules over a configuration, without a run.

use crate::context::context;
use relight::model::estate::{Traffic, TrafficDns};
use relight::model::task::{TaskOutcome, Values};
use relight::tasks::context::TaskContext;
use relight::tasks::module::Reality;
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
