//! What a restore needs goes away while it works: the run says so, nothing is lost, and it ends well once that is back.

use crate::crashes::{GATE, Shut, begun, wait_in_restore};
use crate::operator::{Run, at};
use crate::proxy::Fault;
use crate::refusals::stopped_at;
use crate::scene::{Place, Scene};
use crate::shop::Shop;
use crate::swaps::Deaf;
use crate::uploads::Uploads;
use relight::runbook::Answer;
use relight::runbook::state::{QuestionKind, RunStatus};
use serde_json::json;
use std::sync::Arc;

/// Tries again whatever failed or is unknown, because of what was away, and says yes to the rest. Whether someone
/// wrote meanwhile is not known of a server that crashed: it counts anew, and the run asks.
async fn on_to_the_end(run: &mut Run) {
    for _ in 0..6 {
        let Some(question) = run.go_on(|_| false).await else { break };
        let answer = match question.kind {
            QuestionKind::Failed { .. } => Answer::Retry,
            QuestionKind::Unknown => Answer::LookAgain,
            QuestionKind::Drift if question.drift.iter().all(|(fact, ..)| fact == "rows written") => {
                Answer::AcceptDrift { reason: "the server crashed and counts anew".to_owned() }
            }
            _ => panic!("{question:?}\n{}", run.failures()),
        };
        run.answer(answer).await.unwrap();
    }
    let well = matches!(run.state().status, RunStatus::Completed | RunStatus::CompletedWithExceptions);
    assert!(well, "{}\n{}", run.describe(), run.failures());
    relight::journal::verify(&run.folder.path).unwrap();
}

async fn server_dies_in_the_load(format: &str) {
    let shop = Arc::new(Shop::open());
    let scene = Scene::inside(shop, Place::Bucket, |shop| {
        let model = shop.database();
        shop.change(&model, GATE);
        shop.cluster.dump(&model, format)
    })
    .await;
    let production = scene.production();
    let plan = scene.plan(json!({})).await.unwrap();
    let (side, aside) = (plan.names["side"].as_str().unwrap(), plan.names["aside"].as_str().unwrap());
    let mut run = scene.begin(&plan).await;
    run.go_on(at("restore")).await.unwrap();
    let shut = Shut::on(&scene.shop.cluster, side);
    run.answer(Answer::Yes).await.unwrap();
    wait_in_restore(&scene, side);
    scene.shop.cluster.crash();
    drop(shut);
    let said = stopped_at(&mut run, "restore").await;
    assert!(said.contains("server closed the connection") || said.contains("connection"), "{said}");

    scene.shop.cluster.start_again();
    assert_eq!(scene.production(), production, "production is as it was");
    on_to_the_end(&mut run).await;
    assert_eq!((begun(&run, "restore"), begun(&run, "swap")), (2, 1), "two restores, one swap");
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
    assert_eq!((scene.shop.oid(aside), scene.shop.cluster.content(aside)), production);
    assert_eq!(scene.shop.databases(&scene.database), [aside]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_dies_while_psql_loads() {
    Box::pin(server_dies_in_the_load("plain")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_dies_while_pg_restore_loads() {
    Box::pin(server_dies_in_the_load("custom")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_dies_while_databases_are_swapped() {
    let scene = Scene::inside(Arc::new(Shop::open()), Place::Folder, |shop| shop.custom.clone()).await;
    let production = scene.production();
    let plan = scene.plan(json!({})).await.unwrap();
    let (side, aside) = (plan.names["side"].as_str().unwrap(), plan.names["aside"].as_str().unwrap());
    let mut run = scene.begin(&plan).await;
    let asked = run.go_on(at("swap")).await.unwrap();
    let QuestionKind::Phrase { phrase } = asked.kind else { panic!("{asked:?}") };
    let deaf = Deaf::on(&scene.shop.cluster, &scene.database);
    run.answer(Answer::Phrase { text: phrase }).await.unwrap();
    let closed = format!(
        "SELECT count(*) = 2 FROM pg_database WHERE NOT datallowconn AND datname IN ('{}', '{side}')",
        scene.database
    );
    scene.shop.wait_until("both databases are closed", &closed);
    scene.shop.cluster.crash();
    drop(deaf);
    run.answered_question().await;
    run.until("what it says to that", |state| state.question.is_some()).await;
    assert!(!run.state().status.is_over(), "{}", run.describe());

    scene.shop.cluster.start_again();
    on_to_the_end(&mut run).await;
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
    assert_eq!((scene.shop.oid(aside), scene.shop.cluster.content(aside)), production);
    assert_eq!(scene.shop.databases(&scene.database), [aside]);
    let closed = "SELECT count(*) FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'";
    assert_eq!(scene.shop.cluster.sql("postgres", closed), "0", "every database takes sessions");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_goes_away_while_a_folder_is_unpacked() {
    let uploads = Uploads::with(Place::Bucket).await;
    let damaged = uploads.production();
    let plan = uploads.plan(json!({})).await.unwrap();
    let mut run = uploads.begin(&plan).await;
    run.go_on(at("unpack")).await.unwrap();
    uploads.proxy.next("GET", "uploads_", 1, Fault::CutAfter(400_000));
    uploads.proxy.always("GET", "uploads_", Fault::Drop);
    run.answer(Answer::Yes).await.unwrap();
    run.answered_question().await;
    let said = stopped_at(&mut run, "unpack").await;
    assert!(said.contains("bucket"), "{said}");
    assert_eq!(uploads.production(), damaged, "production is untouched");
    uploads.proxy.reset();
    on_to_the_end(&mut run).await;
    assert_eq!(begun(&run, "swap"), 1, "one swap");
    uploads.restored(&damaged);
}
