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

    pub fn kill(folder: &RunFolder) {
        // It may be on its way out by itself.
        let Some(pid) = runs::read(folder).runner else { return };
        let _ = kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), Signal::KILL);
        while runs::read(folder).runner.is_some() {
            std::thread::yield_now();
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for entry in runs::list(&self.state).into_iter().flatten().filter(|entry| entry.runner.is_some()) {
            Self::kill(&entry.folder);
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
    Machine::kill(&first.folder);
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
    let told = said(&machine.relight(&["doctor"]));
    assert!(told.contains("shared place") && told.contains("ignores If-None-Match"), "{told}");
    assert_eq!(run.state().status, RunStatus::Ready);
}

/// How many lines of the run's journal lie in the bucket.
fn mirrored(uploads: &Uploads, run: &Run) -> u64 {
    let folder = uploads.s3.file(&format!("files/relight/runs/{}/journal", run.folder.run));
    std::fs::read_dir(folder).map_or(0, |entries| entries.count() as u64)
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(40);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_machines_run_is_taken_over_and_its_revived_runner_is_fenced_off() {
    let uploads = Uploads::with(Place::Bucket).await;
    let damaged = uploads.production();
    let plan = plan(&uploads).await;
    share(&uploads);
    let mut first = uploads.begin(&plan).await;
    first.go_on(at("unpack")).await.unwrap();
    until("the mirror keeps up", || mirrored(&uploads, &first) == first.state().seq).await;
    let id = first.folder.run.to_string();

    let here = Machine { state: uploads.state(), config: uploads.config() };
    let other = Machine::new(&uploads, "other");
    let listed = said(&other.relight(&["runs"]));
    assert!(listed.contains(&id) && listed.contains("read-only here") && listed.contains("held by"), "{listed}");
    let watched = other.relight(&["attach", &id]);
    assert!(said(&watched).contains("unpack") && said(&watched).contains("--take-over"), "{}", said(&watched));
    assert_eq!(watched.status.code(), Some(1));
    let wish = ["runs", "--take-over", &id, "--reason", "its machine burnt down"];
    let early = other.relight(&wish);
    assert_eq!(early.status.code(), Some(64), "{}", said(&early));
    assert!(said(&early).contains("has not expired"), "{}", said(&early));

    Machine::kill(&first.folder);
    until("the takeover", || other.relight(&wish).status.success()).await;
    let folder = RunFolder::of(&other.state, &first.folder.run);
    // Whoever takes a run over operates it from then on.
    let mut second = Run::attach_as(&folder, &actor().name).await;
    let taken = second.events.iter().find_map(|event| match event {
        EventKind::LeaseAcquired { epoch, taken_from: Some(from), .. } => Some((*epoch, from.clone())),
        _ => None,
    });
    let (epoch, from) = taken.unwrap();
    assert_eq!((epoch, from.epoch, from.reason.as_str()), (2, 1, "its machine burnt down"));

    let revived = here.relight(&["resume", &id]);
    assert!(said(&revived).to_lowercase().contains("fenced off"), "{}", said(&revived));
    assert!(said(&revived).contains("its machine burnt down"), "{}", said(&revived));
    assert_eq!(revived.status.code(), Some(3), "{}", said(&revived));
    let listed = said(&here.relight(&["runs"]));
    assert!(listed.contains("fenced off"), "{listed}");
    assert_eq!(uploads.production(), damaged, "nobody has touched the folder yet");

    assert_eq!(second.finish().await, RunStatus::Completed, "{}", second.failures());
    uploads.restored(&damaged);
    second.gone().await;
    let verified = other.relight(&["journal", "verify", &id]);
    assert!(verified.status.success(), "{}", said(&verified));
    let over = here.relight(&["runs", "--take-over", &id, "--reason", "again"]);
    assert!(said(&over).contains("is over"), "{}", said(&over));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_lags_holds_nothing_up_and_is_made_whole() {
    let uploads = Uploads::with(Place::Bucket).await;
    let damaged = uploads.production();
    let plan = plan(&uploads).await;
    share(&uploads);
    uploads.proxy.always("PUT", "relight/runs", Fault::Error(503, "ServiceUnavailable"));
    let mut run = uploads.begin(&plan).await;
    run.go_on(at("swap")).await.unwrap();
    assert_eq!(mirrored(&uploads, &run), 0);
    uploads.proxy.reset();
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    uploads.restored(&damaged);
    run.gone().await;
    assert_eq!(mirrored(&uploads, &run), run.state().seq);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_of_a_run_whose_mirror_is_lost_is_freed_with_a_reason() {
    let uploads = Uploads::with(Place::Bucket).await;
    let plan = plan(&uploads).await;
    share(&uploads);
    let mut first = uploads.begin(&plan).await;
    first.go_on(at("unpack")).await.unwrap();
    until("the mirror keeps up", || mirrored(&uploads, &first) == first.state().seq).await;
    let id = first.folder.run.to_string();
    let here = Machine { state: uploads.state(), config: uploads.config() };
    let other = Machine::new(&uploads, "other");
    let told = said(&other.relight(&["doctor"]));
    assert!(told.contains("keeps conditional writes"), "{told}");
    Machine::kill(&first.folder);
    let wish = ["runs", "--free", &id, "--reason", "the machine burnt, and the mirror with it"];
    let whole = other.relight(&wish);
    assert!(whole.status.code() == Some(64) && said(&whole).contains("--take-over"), "{}", said(&whole));
    std::fs::remove_dir_all(uploads.s3.file(&format!("files/relight/runs/{id}"))).unwrap();
    let listed = said(&other.relight(&["runs"]));
    assert!(listed.contains("has no mirror") && listed.contains("--free"), "{listed}");
    let own = here.relight(&wish);
    assert!(said(&own).contains("relight resume"), "its journal is whole: {}", said(&own));
    until("the lock is free", || other.relight(&wish).status.success()).await;

    let mut second = other.started(&plan).await;
    start(&second).await.unwrap();
    second.go_on(at("unpack")).await.unwrap();
    let noted = second.events.iter().any(|event| {
        matches!(event, EventKind::NoteAdded { text }
            if text.contains(&id) && text.contains("had been freed by") && text.contains("and the mirror with it"))
    });
    assert!(noted, "{:#?}", second.events);
    assert!(second.state().epoch() > 2);
    let revived = said(&here.relight(&["resume", &id]));
    assert!(revived.to_lowercase().contains("fenced off"), "{revived}");
    second.abort().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_console_watches_the_run_and_takes_it_over_with_keys() {
    const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);
    let uploads = Uploads::with(Place::Bucket).await;
    let plan = plan(&uploads).await;
    share(&uploads);
    let mut first = uploads.begin(&plan).await;
    first.go_on(at("unpack")).await.unwrap();
    until("the mirror keeps up", || mirrored(&uploads, &first) == first.state().seq).await;
    let other = Machine::new(&uploads, "other");
    let (config, state) = (uploads.config(), other.state.clone());
    let arguments = [Path::new("--config"), &config, Path::new("--state"), &state];
    let mut console =
        crate::pty::Terminal::start(Path::new(RELIGHT), &arguments, &std::collections::BTreeMap::new(), (120, 40))
            .unwrap();
    console.wait_for("scanned", PATIENCE).unwrap();
    console.type_keys("5").unwrap();
    console.wait("the run of the other machine", PATIENCE, |screen| screen.contains("away: waiting")).unwrap();
    console.type_keys("<enter>").unwrap();
    console.wait("what its mirror tells", PATIENCE, |screen| screen.contains("You watch: ")).unwrap();
    console.type_keys("a").unwrap();
    console.wait_for("another machine drives it", PATIENCE).unwrap();
    Machine::kill(&first.folder);
    console.wait("its silence", PATIENCE, |screen| screen.contains("dead or cut off")).unwrap();
    console.type_keys("t").unwrap();
    console.wait_for("Take the run over", PATIENCE).unwrap();
    console.type_keys("its machine burnt down<c-y>").unwrap();
    console
        .wait("the run, driven here", PATIENCE, |screen| screen.contains("live") && !screen.contains("You watch"))
        .unwrap();
    let folder = RunFolder::of(&other.state, &first.folder.run);
    let second = Run::attach(&folder).await;
    let lease = second.state().lease.clone().unwrap();
    assert_eq!(lease.taken_from.unwrap().reason, "its machine burnt down");
    console.type_keys("<c-c><c-c>").unwrap();
    console.exit_code(PATIENCE).unwrap();
}
