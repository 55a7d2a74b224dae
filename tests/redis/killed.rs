//! The runner is killed in the middle of each step that changes something: the run comes back, looks, and ends.

use crate::cache::Cache;
use crate::operator::{Run, at};
use relight::runbook::Answer;
use relight::runbook::state::{QuestionKind, RunStatus};
use relight::runner::runs;
use rustix::process::{Pid, Signal, kill_process};

/// Kills the runner when `held` has been reached in `step`, and lets the world go on while nobody watches.
async fn killed_at(step: &str, held: &str) {
    let cache = Cache::flushed(true).await;
    let plan = cache.plan().await.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    let mut run = cache.begin(&plan).await;
    cache.hold(held);
    let question = run.go_on(at(step)).await.unwrap();
    let answer = match &question.kind {
        QuestionKind::Phrase { phrase } => Answer::Phrase { text: phrase.clone() },
        _ => Answer::Yes,
    };
    run.answer(answer).await.unwrap();
    cache.reached(held);
    let pid = runs::read(&run.folder).runner.unwrap();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    run.gone().await;
    cache.until("the end of the runner", || runs::read(&run.folder).runner.is_none());
    cache.let_go(held);
    cache.start(&run.folder).await;
    let mut run = Run::attach(&run.folder).await;
    while let Some(question) = run.go_on(|_| false).await {
        // The target is not what the plan saw, because the step was in the middle of changing it.
        assert_eq!(question.step.as_str(), step, "{}\n{}", question.title, run.failures());
        let answer = if matches!(question.kind, QuestionKind::Drift) {
            Answer::AcceptDrift { reason: "the run stopped it itself".to_owned() }
        } else {
            Answer::Retry
        };
        run.answer(answer).await.unwrap_or_else(|why| panic!("{why}: {question:?}"));
    }
    let status = run.state().status.clone();
    assert!(
        matches!(status, RunStatus::Completed | RunStatus::CompletedWithExceptions),
        "{status:?} {}",
        run.failures()
    );
    assert_eq!(cache.beside().len(), 1, "{:?}", cache.beside());
    cache.holds_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_snapshot_is_loaded() {
    Box::pin(killed_at("load", "load")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_stops() {
    Box::pin(killed_at("swap", "stop")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_starts() {
    Box::pin(killed_at("swap", "start")).await;
}
