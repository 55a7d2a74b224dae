//! Nothing is left of what is to be restored: it comes back under its free name, and can be taken back.

use crate::operator::at;
use crate::proxy::Fault;
use crate::refusals::stopped_at;
use crate::scene::{Form, Place, Scene};
use crate::uploads::Uploads;
use relight::runbook::Answer;
use relight::runbook::state::{QuestionKind, RunStatus};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_comes_back() {
    let scene = Scene::with(Place::Bucket, |shop| Form::PlainGz.bytes(shop)).await;
    scene.shop.cluster.sql("postgres", &format!("DROP DATABASE {}", scene.database));
    let plan = scene.plan(json!({})).await.unwrap();
    let mut run = scene.begin(&plan).await;
    let said = stopped_at(&mut run, "safety-dump").await;
    assert!(said.contains("nothing to dump"), "{said}");
    run.answer(Answer::Skip { reason: "it was dropped".to_owned() }).await.unwrap();
    let asked = run.go_on(at("swap")).await.unwrap_or_else(|| panic!("{}", run.failures()));
    let target = asked.target.clone().unwrap();
    assert!(target.title.contains("not there"), "the question says what it is about: {target:?}");
    assert_eq!(scene.shop.oid(&scene.database), "", "the name is free until the swap");
    assert_eq!(run.finish().await, RunStatus::CompletedWithExceptions, "{}", run.failures());
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
    assert_eq!(scene.shop.databases(&scene.database), [] as [&str; 0], "nothing stands beside it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_folder_comes_back_and_goes_again_with_an_undo() {
    let uploads = Uploads::with(Place::Bucket).await;
    std::fs::remove_dir_all(uploads.live()).unwrap();
    let plan = uploads.plan(json!({})).await.unwrap();
    let mut run = uploads.begin(&plan).await;
    let asked = run.go_on(at("swap")).await.unwrap_or_else(|| panic!("{}", run.failures()));
    let QuestionKind::Phrase { phrase } = asked.kind else { panic!("{asked:?}") };
    uploads.proxy.always("GET", "uploads_", Fault::denied());
    run.answer(Answer::Phrase { text: phrase }).await.unwrap();
    run.answered_question().await;
    stopped_at(&mut run, "verdict").await;
    assert_eq!(Uploads::picture(&uploads.live()), uploads.original);
    run.abort().await;
    assert_eq!(run.state().status, RunStatus::AbortedClean, "{}", run.describe());
    assert!(!uploads.live().exists() && uploads.beside().is_empty(), "{:?}", uploads.beside());

    uploads.proxy.reset();
    let plan = uploads.plan(json!({})).await.unwrap();
    let mut run = uploads.begin(&plan).await;
    assert_eq!(run.finish().await, RunStatus::Completed, "{}", run.failures());
    assert_eq!(Uploads::picture(&uploads.live()), uploads.original);
    assert_eq!(uploads.beside(), [] as [std::path::PathBuf; 0]);
}
