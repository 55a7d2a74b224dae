//! What a restore needs goes away while it works: nothing is lost, and it ends well once that is back.

use crate::cache::Cache;
use crate::operator::{Run, at};
use crate::proxy::Fault;
use relight::runbook::Answer;
use relight::runbook::state::{Question, QuestionKind, RunStatus, StepState};

/// The question after the failure of the loading, whose reason has `word`; the live server goes on meanwhile.
async fn loading_fails(run: &mut Run, cache: &Cache, word: &str) {
    let asked = run.go_on(|_| false).await.expect("the loading did not fail");
    assert_eq!(asked.step.as_str(), "load", "{asked:?}\n{}", run.failures());
    let said = run.failures();
    assert!(said.contains(word), "{word}: {said}");
    assert_eq!(cache.cli(&["GET", "wrong"]), "written after the loss", "the live server goes on");
}

fn again(asked: &Question) -> Answer {
    match asked.kind {
        QuestionKind::Failed { .. } => Answer::Retry,
        QuestionKind::Unknown => Answer::LookAgain,
        QuestionKind::Drift => Answer::AcceptDrift { reason: "the server crashed".to_owned() },
        _ => panic!("{asked:?}"),
    }
}

/// Begins the step anew, which may ask for its key first.
async fn begin_again(run: &mut Run) {
    run.answer(again(&run.state().question.clone().unwrap())).await.unwrap();
    run.answered_question().await;
    let running = |state: &relight::runbook::RunState| {
        state.step(&"load".into()).is_some_and(|record| record.state == StepState::Running)
    };
    run.until("the step or its question", |state| state.question.is_some() || running(state)).await;
    if run.state().question.is_some() {
        run.answer(Answer::Yes).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn store_disk_and_both_servers_go_away_one_after_the_other() {
    let cache = Cache::on_a_small_disk("32m").await;
    let plan = cache.plan().await.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    let mut run = cache.begin(&plan).await;
    run.go_on(at("load")).await.unwrap();
    cache.proxy.next("GET", "redis_", 1, Fault::CutAfter(1000));
    cache.proxy.always("GET", "redis_", Fault::Drop);
    run.answer(Answer::Yes).await.unwrap();
    loading_fails(&mut run, &cache, "bucket").await;
    cache.proxy.reset();

    let ballast = cache.fill_disk(4096);
    begin_again(&mut run).await;
    loading_fails(&mut run, &cache, "free").await;
    drop(ballast);

    cache.hold("load");
    begin_again(&mut run).await;
    cache.reached("load");
    cache.crash("relight.sock");
    cache.let_go("load");
    loading_fails(&mut run, &cache, "").await;
    begin_again(&mut run).await;

    run.go_on(at("swap")).await.unwrap_or_else(|| panic!("{}", run.failures()));
    cache.crash(&format!("127.0.0.1:{}", cache.port));
    while let Some(asked) = run.go_on(|_| false).await {
        run.answer(again(&asked)).await.unwrap();
    }
    let status = run.state().status.clone();
    let well = matches!(status, RunStatus::Completed | RunStatus::CompletedWithExceptions);
    assert!(well, "{status:?} {}", run.failures());
    assert_eq!(cache.beside().len(), 1, "{:?}", cache.beside());
    cache.holds_all();
}
