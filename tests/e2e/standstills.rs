//! What never answers, and programs that are killed from outside: the run says so in time, production is
//! untouched, and the step can be tried again.

use crate::crashes::{Shut, gated_with, kill, wait_in_restore};
use crate::operator::at;
use crate::proxy::Fault;
use crate::refusals::stopped_at;
use crate::scene::{Form, OBJECT, Place, Scene};
use relight::runbook::Answer;
use relight::runbook::state::RunStatus;
use relight::runner::runs;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_takes_the_request_and_never_answers() {
    let scene = Scene::with(Place::Bucket, |shop| Form::PlainGz.bytes(shop)).await;
    let production = scene.production();
    let plan = scene.plan(json!({})).await.unwrap();
    let mut run = scene.begin(&plan).await;
    run.go_on(at("restore")).await.unwrap();
    scene.proxy.always("GET", OBJECT, Fault::Hang);
    run.answer(Answer::Yes).await.unwrap();
    run.answered_question().await;
    let said = stopped_at(&mut run, "restore").await;
    assert!(said.contains("bucket") && said.contains("tried"), "{said}");
    assert_eq!(scene.production(), production, "production is untouched");
    scene.proxy.reset();
    run.answer(Answer::Retry).await.unwrap();
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
}

/// The runbook with little time for every step.
fn hurried(scene: &Scene) {
    let runbook = include_str!("../../config/runbooks/restore-postgres.toml");
    let short = ["12h", "24h"]
        .iter()
        .fold(runbook.to_owned(), |text, long| text.replace(&format!("timeout = \"{long}\""), "timeout = \"10s\""));
    std::fs::create_dir(scene.path("runbooks")).unwrap();
    let renamed = short.replacen("id = \"restore-postgres\"", "id = \"hurried\"", 1);
    std::fs::write(scene.path("runbooks/hurried.toml"), renamed).unwrap();
    scene.reconfigure(|text| format!("{text}\n[runbooks]\ndirs = [\"runbooks\"]\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stands_still_comes_to_the_deadline_of_the_step() {
    let scene = Scene::with(Place::Bucket, |shop| Form::Plain.bytes(shop)).await;
    hurried(&scene);
    let production = scene.production();
    let plan = scene.plan_of("hurried", json!({ "asset": "orders", "backup": "latest" })).await.unwrap();
    scene.proxy.always("GET", OBJECT, Fault::Hang);
    let mut run = scene.begin(&plan).await;
    let said = stopped_at(&mut run, "prove").await;
    assert!(said.contains("ran out of time"), "{said}");
    scene.proxy.reset();
    run.answer(Answer::Retry).await.unwrap();
    run.go_on(at("restore")).await.unwrap();
    // In mid-body: the loader holds half of the dump and waits for more.
    scene.proxy.always("GET", OBJECT, Fault::StallAfter(20_000));
    run.answer(Answer::Yes).await.unwrap();
    run.answered_question().await;
    let said = stopped_at(&mut run, "restore").await;
    assert!(said.contains("ran out of time"), "{said}");
    assert_eq!(scene.production(), production, "production is untouched");
    let left = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'relight:%' AND datname = ";
    scene.shop.wait_until("no session works on", &format!("{left}'{}'", scene.name("side")));
    scene.proxy.reset();
    run.answer(Answer::Retry).await.unwrap();
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
}

/// The program of this name that the process has started.
fn child_of(parent: u32, name: &str) -> u32 {
    let is_it = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let value =
            |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim).map(str::to_owned);
        value("PPid:") == Some(parent.to_string()) && value("Name:").as_deref() == Some(name)
    };
    let pids =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.into_iter().find(|pid| is_it(*pid)).unwrap_or_else(|| panic!("the runner has started no {name}"))
}

/// Rows behind the gate, more than lies in all the pipes on the way: whoever makes their text cannot be done with it.
const BEHIND: &str = "CREATE TABLE zoo AS SELECT repeat(md5(n::text), 250) AS animal FROM generate_series(1, 4000) n";

async fn killed_from_outside(place: Place, format: &str, program: &str) {
    let scene = gated_with(place, format, BEHIND).await;
    let production = scene.production();
    let plan = scene.plan(json!({})).await.unwrap();
    let mut run = scene.begin(&plan).await;
    run.go_on(at("restore")).await.unwrap();
    let side = scene.name("side");
    let shut = Shut::on(&scene.shop.cluster, &side);
    run.answer(Answer::Yes).await.unwrap();
    wait_in_restore(&scene, &side);
    kill(child_of(runs::read(&run.folder).runner.unwrap(), program));
    run.answered_question().await;
    let said = stopped_at(&mut run, "restore").await;
    assert!(said.contains(program) && said.contains("signal 9 (SIGKILL"), "{said}");
    assert_eq!(scene.production(), production, "production is untouched");
    drop(shut);
    run.answer(Answer::Retry).await.unwrap();
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
}

#[tokio::test(flavor = "multi_thread")]
async fn pg_restore_killed_from_outside_is_named_with_its_signal() {
    Box::pin(killed_from_outside(Place::Bucket, "custom", "pg_restore")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_killed_from_outside_is_named_with_its_signal() {
    Box::pin(killed_from_outside(Place::Folder, "plain", "psql")).await;
}
