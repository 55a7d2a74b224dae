//! One run at a time on one thing: on one machine, and on two with a shared bucket.

use crate::home::RELIGHT;
use crate::operator::{Run, at};
use crate::proxy::Fault;
use crate::scene::Place;
use crate::uploads::Uploads;
use relight::event::EventKind;
use relight::model::time::Clock as _;
use relight::runbook::state::RunStatus;
use relight::runbook::{Intent, Plan};
use relight::runner::{RunFolder, runs, spawn};
use relight::wiring::{SystemClock, actor};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Another console with a state folder of its own, on the same configuration.
pub struct Machine {
    pub state: PathBuf,
    config: PathBuf,
}

impl Machine {
    pub fn new(uploads: &Uploads, name: &str) -> Self {
        Self { state: uploads.path(name), config: uploads.config() }
    }

    pub async fn started(&self, plan: &Plan) -> Run {
        let made = std::fs::DirBuilder::new();
        let mut made = made;
        std::os::unix::fs::DirBuilderExt::mode(&mut made, 0o700);
        let _ = made.create(&self.state);
        let folder = spawn::create(&self.state, plan, &self.config, &actor(), SystemClock.now()).unwrap();
        spawn::start_with(Path::new(RELIGHT), &folder, &self.state).await.unwrap();
        Run::attach(&folder).await
    }

    pub fn relight(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(RELIGHT);
        command.arg("--config").arg(&self.config).arg("--state").arg(&self.state).args(arguments);
        command.stdin(std::process::Stdio::null()).output().unwrap()
    }

    pub fn kill(&self, folder: &RunFolder) {
        let pid = runs::read(folder).runner.unwrap();
        kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
        while runs::read(folder).runner.is_some() {
            std::thread::yield_now();
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for entry in runs::list(&self.state).into_iter().flatten().filter(|entry| entry.runner.is_some()) {
            self.kill(&entry.folder);
        }
    }
}

pub fn share(uploads: &Uploads) {
    uploads.reconfigure(|text| format!("{text}\n[shared]\nstore = \"bucket\"\nterm = \"3s\"\n"));
}

async fn plan(uploads: &Uploads) -> Plan {
    uploads.plan(json!({})).await.unwrap_or_else(|problems| panic!("{}", problems.join("\n")))
}

async fn start(run: &Run) -> Result<(), String> {
    run.intent(Intent::Start { plan_digest: run.state().plan.digest.clone() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_on_one_machine_do_not_work_on_one_folder() {
    let uploads = Uploads::with(Place::Bucket).await;
    let plan = plan(&uploads).await;
    assert_eq!(plan.lock_scope, [format!("folder {}", uploads.live().canonicalize().unwrap().display())]);
    let mut first = uploads.begin(&plan).await;
    first.go_on(at("unpack")).await.unwrap();
    let machine = Machine { state: uploads.state(), config: uploads.config() };
    let mut second = machine.started(&plan).await;
    let why = start(&second).await.unwrap_err();
    for word in [first.folder.run.as_str(), "is held by run", "renewed until", "--take-over"] {
        assert!(why.contains(word), "{word}: {why}");
    }
    assert_eq!(second.state().status, RunStatus::Ready);
    // Even killed it holds: only its own end frees.
    machine.kill(&first.folder);
    assert!(start(&second).await.is_err());
    uploads.start(&first.folder).await;
    let mut first = Run::attach(&first.folder).await;
    first.go_on(at("unpack")).await.unwrap();
    first.abort().await;
    first.gone().await;
    start(&second).await.unwrap();
    second.go_on(at("unpack")).await.unwrap();
    let epochs: Vec<u64> = [&first, &second].iter().map(|run| run.state().epoch()).collect();
    assert!(epochs[1] > epochs[0], "{epochs:?}");
    second.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_cannot_be_renewed_pauses_its_run() {
    let uploads = Uploads::with(Place::Bucket).await;
    let plan = plan(&uploads).await;
    share(&uploads);
    let mut run = uploads.begin(&plan).await;
    run.go_on(at("unpack")).await.unwrap();
    uploads.proxy.always("PUT", "relight/leases", Fault::Error(503, "ServiceUnavailable"));
    run.until("the lapse", |state| matches!(&state.status, RunStatus::Paused { cause } if cause.contains("lapsed")))
        .await;
    let why = run.intent(Intent::Resume).await.unwrap_err();
    assert!(why.contains("ServiceUnavailable"), "{why}");
    uploads.proxy.reset();
    run.until("the renewal", |state| state.lease.as_ref().is_some_and(|lease| lease.lapsed.is_none())).await;
    assert!(matches!(run.state().status, RunStatus::Paused { .. }), "a person resumes it");
    run.intent(Intent::Resume).await.unwrap();
    run.finish().await;
    assert_eq!(run.state().status, RunStatus::Completed, "{}", run.failures());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_with_one_bucket_do_not_work_on_one_folder() {
    let uploads = Uploads::with(Place::Bucket).await;
    let plan = plan(&uploads).await;
    share(&uploads);
    let mut first = uploads.begin(&plan).await;
    first.go_on(at("unpack")).await.unwrap();
    assert!(first.events.iter().any(
        |event| matches!(event, EventKind::LeaseAcquired { place, epoch: 1, .. } if place.contains("files/relight/"))
    ));
    let other = Machine::new(&uploads, "other");
    let second = other.started(&plan).await;
    let why = start(&second).await.unwrap_err();
    assert!(why.contains(first.folder.run.as_str()) && why.contains("is held by run"), "{why}");
    first.abort().await;
    first.gone().await;
    start(&second).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_whose_server_ignores_conditions_is_refused() {
    let uploads = Uploads::with(Place::Folder).await;
    let plan = plan(&uploads).await;
    let open = crate::s3::S3Fixture::open_to_all().await;
    let address = open.server.endpoint().trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    let proxy = crate::proxy::Proxy::start(address).await;
    proxy.always("PUT", "", Fault::Without("if-none-match"));
    let (endpoint, bucket) = (proxy.endpoint(), crate::s3::BUCKET);
    uploads.reconfigure(|text| {
        format!(
            "{text}\n[[stores]]\nid = \"loose\"\ntype = \"s3\"\nbucket = \"{bucket}\"\nendpoint = \"{endpoint}\"\n\
             anonymous = true\n[shared]\nstore = \"loose\"\n"
        )
    });
    let machine = Machine::new(&uploads, "other");
    let run = machine.started(&plan).await;
    let why = start(&run).await.unwrap_err();
    assert!(why.contains("ignores If-None-Match") && why.contains("does not keep its word"), "{why}");
    assert_eq!(run.state().status, RunStatus::Ready);
}
