//! Killed in the middle: the run comes back to the same place, looks, and goes on.

use crate::operator::{Run, at};
use crate::postgres::Cluster;
use crate::scene::{Place, Scene};
use relight::event::{EventKind, Purpose};
use relight::model::task::Reality;
use relight::runbook::state::RunStatus;
use relight::runner::runs;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::Write as _;
use std::process::Child;
use std::time::{Duration, Instant};

/// The shop with a gate in it: loading `orders` waits while someone holds advisory lock 42 of that database.
pub const GATE: &str = "CREATE FUNCTION public.gate() RETURNS boolean LANGUAGE plpgsql AS \
    'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN true; END'; \
    ALTER TABLE orders ADD CONSTRAINT gate CHECK (public.gate())";

/// A scene whose backup, in `format`, has the gate in it.
pub async fn gated(place: Place, format: &str) -> Scene {
    gated_with(place, format, "").await
}

/// The same, with what `more` makes beside the shop.
pub async fn gated_with(place: Place, format: &str, more: &str) -> Scene {
    Scene::with(place, |shop| {
        let model = shop.database();
        shop.change(&model, &format!("{GATE}; {more}"));
        shop.cluster.dump(&model, format)
    })
    .await
}

/// Holds the gate shut until it is dropped.
pub struct Shut(Child);

impl Shut {
    pub fn on(cluster: &Cluster, database: &str) -> Self {
        let mut session = cluster.guest(database);
        session.stdin.as_mut().unwrap().write_all(b"SELECT pg_advisory_lock(42);\n").unwrap();
        let held = "SELECT count(*) > 0 FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
            WHERE locktype = 'advisory' AND objid = 42 AND granted AND datname = ";
        wait_until(cluster, &format!("{held}'{database}'"));
        Self(session)
    }
}

impl Drop for Shut {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn wait_until(cluster: &Cluster, query: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while cluster.sql("postgres", query) != "t" {
        assert!(Instant::now() < deadline, "did not come true: {query}");
    }
}

/// The restore stands at the gate.
pub fn wait_in_restore(scene: &Scene, side: &str) {
    let waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = ";
    scene.shop.wait_until("the restore waits at the gate", &format!("{waiting}'{side}'"));
}

pub fn kill(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

/// Waits until nobody holds the run any more.
pub fn runner_gone(run: &Run) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while runs::read(&run.folder).runner.is_some() {
        assert!(Instant::now() < deadline, "the runner did not die");
    }
}

/// How often the step was begun.
pub fn begun(run: &Run, wanted: &str) -> usize {
    let intended = |event: &&EventKind| matches!(event, EventKind::TaskIntended { step, purpose: Purpose::Run, .. } if step.as_str() == wanted);
    run.events.iter().filter(intended).count()
}

async fn killed_while_restoring(place: Place, format: &str) {
    let scene = gated(place, format).await;
    let production = scene.production();
    let plan = scene.plan(json!({})).await.unwrap();
    let (side, aside) = (plan.names["side"].as_str().unwrap(), plan.names["aside"].as_str().unwrap());
    let mut run = scene.begin(&plan).await;
    run.go_on(at("restore")).await.unwrap();
    let shut = Shut::on(&scene.shop.cluster, side);
    run.answer(relight::runbook::Answer::Yes).await.unwrap();
    wait_in_restore(&scene, side);

    kill(runs::read(&run.folder).runner.expect("a live runner"));
    run.gone().await;
    runner_gone(&run);
    let entry = runs::read(&run.folder);
    assert!(entry.is_lost() && entry.word() == "runner lost", "{entry:?}");
    assert_eq!(scene.production(), production, "production is untouched");

    scene.start(&run.folder).await;
    let mut run = Run::attach(&run.folder).await;
    let asked = run.go_on(at("restore")).await.expect("it asks before it restores again");
    assert_eq!(asked.step.as_str(), "restore");
    let interrupted =
        |event: &EventKind| matches!(event, EventKind::StepInterrupted { step, .. } if step.as_str() == "restore");
    assert!(run.events.iter().any(interrupted), "the journal says that it was interrupted");
    let looked = |event: &EventKind| matches!(event, EventKind::Reconciled { reality: Reality::NotDone(why), .. } if why.contains(side));
    assert!(run.events.iter().any(looked), "it looked at the side database before anything else");
    let left = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'relight:%' AND datname = ";
    scene.shop.wait_until("no session of the first attempt is left", &format!("{left}'{side}'"));

    drop(shut);
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    assert_eq!((begun(&run, "restore"), begun(&run, "swap")), (2, 1), "two restores, one swap");
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
    assert_eq!((scene.shop.oid(aside), scene.shop.cluster.content(aside)), production);
    assert_eq!(scene.shop.databases(&scene.database), [aside]);
    relight::journal::verify(&run.folder.path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_in_pg_restore_comes_back_and_swaps_once() {
    Box::pin(killed_while_restoring(Place::Bucket, "custom")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_in_psql_comes_back_and_swaps_once() {
    Box::pin(killed_while_restoring(Place::Folder, "plain")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_told_to_end_in_pg_restore_stops_it_and_leaves_within_seconds() {
    let scene = gated(Place::Bucket, "custom").await;
    let plan = scene.plan(json!({})).await.unwrap();
    let side = plan.names["side"].as_str().unwrap();
    let mut run = scene.begin(&plan).await;
    run.go_on(at("restore")).await.unwrap();
    let _shut = Shut::on(&scene.shop.cluster, side);
    run.answer(relight::runbook::Answer::Yes).await.unwrap();
    wait_in_restore(&scene, side);

    let pid = runs::read(&run.folder).runner.expect("a live runner");
    let told = Instant::now();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::TERM).unwrap();
    run.gone().await;
    while runs::read(&run.folder).runner.is_some() {
        assert!(told.elapsed() < Duration::from_secs(5), "the runner lingers");
    }
    eprintln!("left after {:?}", told.elapsed());
    let stopped = |event: &EventKind| matches!(event, EventKind::RunnerStopped { why } if why.contains("SIGTERM"));
    assert!(run.events.iter().any(stopped), "the journal says why");
    let left = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'relight:%' AND datname = ";
    scene.shop.wait_until("no session of the restore is left", &format!("{left}'{side}'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_at_a_question_asks_it_again() {
    let scene = Scene::with(Place::Folder, |shop| shop.custom.clone()).await;
    let plan = scene.plan(json!({})).await.unwrap();
    let mut run = scene.begin(&plan).await;
    run.go_on(at("swap")).await.unwrap();
    kill(runs::read(&run.folder).runner.unwrap());
    run.gone().await;
    runner_gone(&run);
    scene.start(&run.folder).await;
    let mut run = Run::attach(&run.folder).await;
    assert_eq!(run.finish().await, RunStatus::Completed);
    assert_eq!(begun(&run, "swap"), 1);
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
}
