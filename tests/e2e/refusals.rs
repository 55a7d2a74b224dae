//! What must not be restored is not, and what changed meanwhile is noticed: production stays as it was, and
//! the run says why.

use crate::operator::{Run, at};
use crate::proxy::Fault;
use crate::scene::{Form, Place, Scene};
use crate::shop::{Shop, gzip};
use crate::small_disk::SmallDisk;
use relight::event::{EventKind, Purpose};
use relight::model::task::TaskOutcome;
use relight::runbook::state::{Question, QuestionKind};
use relight::runbook::{Answer, RunState, StepState};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

async fn begun(scene: &Scene) -> Run {
    let plan = scene.plan(json!({})).await.unwrap_or_else(|problems| panic!("{}", problems.join("\n")));
    scene.begin(&plan).await
}

/// Goes on until a step asks what to do after its failure; the words that people then see.
pub async fn stopped_at(run: &mut Run, step: &str) -> String {
    let question = run.go_on(|_| false).await.unwrap_or_else(|| panic!("it went through; {step} should have failed"));
    let group = |id: &str| run.state().plan.step(&id.into()).and_then(|planned| planned.group.clone());
    if question.step.as_str() != step && group(step).is_some() && group(step) == group(question.step.as_str()) {
        // One that works beside it may have come upon the same, and is asked about first.
        let rests = |state: StepState| matches!(state, StepState::Failed | StepState::Unknown | StepState::TimedOut);
        let ended = |state: &RunState| {
            state.working.is_empty()
                && state.step(&step.into()).is_some_and(|record| rests(record.state) || record.state.is_settled())
        };
        Box::pin(run.until("its own end", ended)).await;
        let ended = run.state().step(&step.into()).map(|record| record.state);
        assert!(
            matches!(ended, Some(StepState::Failed | StepState::Unknown)),
            "{}\n{}",
            question.title,
            run.failures()
        );
    } else {
        assert_eq!(question.step.as_str(), step, "{}\n{}", question.title, run.failures());
    }
    assert!(matches!(question.kind, QuestionKind::Failed { .. } | QuestionKind::Unknown), "{question:?}");
    format!("{}\n{}", question.title, run.failures())
}

/// Ends the run with undo: nothing of it is left on the server, and it never began to swap.
async fn taken_back(scene: &Scene, run: &mut Run, production: &(String, String)) {
    run.abort().await;
    let swapped = |event: &EventKind| matches!(event, EventKind::TaskIntended { step, purpose: Purpose::Run, .. } if step.as_str() == "swap");
    assert!(!run.events.iter().any(swapped), "the swap was never begun");
    assert_eq!(scene.shop.databases(&scene.database), [] as [&str; 0], "{}", run.describe());
    assert_eq!(&scene.production(), production, "production is untouched");
}

/// A backup that is refused at `step`, from both places, with each of `words` in the reason.
async fn refused(bytes: impl Fn(&Shop) -> Vec<u8>, step: &str, words: &[&str]) {
    for place in [Place::Folder, Place::Bucket] {
        let scene = Scene::with(place, &bytes).await;
        let production = scene.production();
        let mut run = begun(&scene).await;
        let said = stopped_at(&mut run, step).await;
        for word in words {
            assert!(said.contains(word), "{place:?}: {said}");
        }
        assert_eq!(scene.production(), production, "production is untouched");
        taken_back(&scene, &mut run, &production).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_gzip_is_not_restored() {
    let cut = |shop: &Shop| {
        let whole = gzip(&shop.plain);
        whole[..whole.len() - 500].to_vec()
    };
    refused(cut, "prove", &["is bad", "ends"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_dump_is_not_restored() {
    let bent = |shop: &Shop| {
        let mut bytes = shop.custom.clone();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 2000].fill(0xa5);
        bytes
    };
    refused(bent, "prove", &["is bad"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_sql_error_stops_the_restore() {
    let wrong = |shop: &Shop| {
        let text = String::from_utf8(shop.plain.clone()).unwrap();
        let wrong = "CREATE INDEX items_by_nothing ON nowhere (x);\nCREATE INDEX items_by_order";
        text.replacen("CREATE INDEX items_by_order", wrong, 1).into_bytes()
    };
    refused(wrong, "restore", &["nowhere", "line"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_before_the_restore_and_in_it() {
    let shop = Arc::new(Shop::open());
    for form in [Form::PlainGz, Form::Custom] {
        let scene = Scene::inside(Arc::clone(&shop), Place::Folder, |shop| form.bytes(shop)).await;
        let disk = SmallDisk::under(&scene.shop.cluster, &scene.database);
        let production = scene.production();
        let mut run = begun(&scene).await;
        stopped_at(&mut run, "preflight").await;
        run.answer(Answer::Skip { reason: "room is being made".to_owned() }).await.unwrap();
        let said = stopped_at(&mut run, "restore").await;
        assert!(said.contains("what would stop it: The server's disk is nearly full: short is true"), "{said}");
        taken_back(&scene, &mut run, &production).await;

        let plan = scene.plan(json!({ "keep_free": "0B" })).await.unwrap();
        let mut run = scene.begin(&plan).await;
        let said = stopped_at(&mut run, "preflight").await;
        assert!(said.contains("free"), "{said}");
        run.answer(Answer::Skip { reason: "room is being made".to_owned() }).await.unwrap();
        run.go_on(at("restore")).await.unwrap();
        disk.fill(&scene.shop.cluster);
        let said = stopped_at(&mut run, "restore").await;
        assert!(said.contains("No space left on device"), "{said}");
        taken_back(&scene, &mut run, &production).await;
        disk.gone(&scene.shop.cluster, &scene.database);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_phrase_starts_nothing_and_the_right_one_still_counts() {
    let scene = Scene::with(Place::Bucket, |shop| Form::CustomGz.bytes(shop)).await;
    let production = scene.production();
    let mut run = begun(&scene).await;
    let asked = run.go_on(at("swap")).await.unwrap();
    let QuestionKind::Phrase { phrase } = &asked.kind else { panic!("{asked:?}") };
    for wrong in [phrase.to_uppercase(), phrase.replace("swap ", ""), String::new(), "yes".to_owned()] {
        let why = run.answer(Answer::Phrase { text: wrong }).await.unwrap_err();
        assert!(why.contains("does not match"), "{why}");
    }
    let why = run.answer(Answer::Yes).await.unwrap_err();
    assert!(why.contains("type the phrase"), "{why}");
    assert_eq!(scene.production(), production, "production is untouched");
    run.answer(Answer::Phrase { text: phrase.clone() }).await.unwrap();
    run.finish().await;
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
}

/// The swap asks about drift, and names what differs.
pub fn drifted(question: Option<Question>, fact: &str) {
    let question = question.expect("the swap must not happen");
    assert_eq!(question.kind, QuestionKind::Drift, "{question:?}");
    assert!(question.drift.iter().any(|(name, _, _)| name == fact), "{:?}", question.drift);
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_elses_write_before_the_question_is_shown() {
    let scene = Scene::with(Place::Folder, |shop| Form::Custom.bytes(shop)).await;
    let mut run = begun(&scene).await;
    run.go_on(at("writers")).await.unwrap();
    scene.shop.change(&scene.database, "INSERT INTO items VALUES (900000, 1, 1)");
    let production = scene.production();
    drifted(run.go_on(at("swap")).await, "rows written");
    taken_back(&scene, &mut run, &production).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_elses_write_after_the_question_disarms_it() {
    let scene = Scene::with(Place::Bucket, |shop| Form::Plain.bytes(shop)).await;
    let mut run = begun(&scene).await;
    let asked = run.go_on(at("swap")).await.unwrap();
    let QuestionKind::Phrase { phrase } = asked.kind else { panic!("{asked:?}") };
    scene.shop.change(&scene.database, "DELETE FROM orders WHERE id = 5");
    let production = scene.production();
    run.answer(Answer::Phrase { text: phrase }).await.unwrap();
    drifted(run.go_on(|question| question.step.as_str() == "swap").await, "rows written");
    let withdrawn = run
        .events
        .iter()
        .any(|event| matches!(event, EventKind::QuestionWithdrawn { why, .. } if why.contains("nothing was started")));
    assert!(withdrawn, "the journal tells why the answer did not count");
    taken_back(&scene, &mut run, &production).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_database_is_not_swapped() {
    let scene = Scene::with(Place::Folder, |shop| Form::PlainGz.bytes(shop)).await;
    let production = scene.production();
    let mut run = begun(&scene).await;
    run.go_on(at("writers")).await.unwrap();
    let rename =
        |from: &str, to: &str| scene.shop.cluster.sql("postgres", &format!("ALTER DATABASE {from} RENAME TO {to}"));
    let elsewhere = format!("elsewhere{}", scene.database);
    rename(&scene.database, &elsewhere);
    drifted(run.go_on(at("swap")).await, "present");
    assert_eq!(scene.shop.oid(&elsewhere), production.0);
    rename(&elsewhere, &scene.database);
    taken_back(&scene, &mut run, &production).await;
}

fn troubles() -> [(Fault, &'static str); 3] {
    [(Fault::slow_down(), "SlowDown"), (Fault::denied(), "AccessDenied"), (Fault::CutAfter(2000), "tried 4 times")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_trouble_stops_the_proof_and_says_which() {
    let scene = Scene::with(Place::Bucket, |shop| Form::Custom.bytes(shop)).await;
    let production = scene.production();
    for (fault, word) in troubles() {
        scene.proxy.reset();
        let plan = scene.plan(json!({})).await.unwrap();
        scene.proxy.always("GET", crate::scene::OBJECT, fault);
        let mut run = scene.begin(&plan).await;
        let said = stopped_at(&mut run, "prove").await;
        assert!(said.contains(word) && said.contains("bucket"), "{word}: {said}");
        let proof = run.state().step(&"prove".into()).unwrap();
        let told = matches!(proof.state, StepState::Failed | StepState::Unknown);
        assert!(told, "a look that saw nothing took no effect either: {}", proof.state);
        assert!(matches!(proof.outcome, Some(TaskOutcome::Unknown { .. })), "{said}");
        taken_back(&scene, &mut run, &production).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_trouble_stops_the_restore_and_it_can_be_tried_again() {
    let scene = Scene::with(Place::Bucket, |shop| Form::PlainGz.bytes(shop)).await;
    let production = scene.production();
    let mut run = begun(&scene).await;
    run.go_on(at("restore")).await.unwrap();
    for (n, (fault, word)) in troubles().into_iter().enumerate() {
        scene.proxy.reset();
        scene.proxy.always("GET", crate::scene::OBJECT, fault);
        run.answer(if n == 0 { Answer::Yes } else { Answer::Retry }).await.unwrap();
        run.answered_question().await;
        if n > 0 {
            run.go_on(at("restore")).await.unwrap();
        }
        let said = stopped_at(&mut run, "restore").await;
        assert!(said.contains(word) && said.contains("bucket"), "{word}: {said}");
        assert_eq!(scene.production(), production, "production is untouched");
    }
    // Slow, and broken off once: still a good copy.
    scene.proxy.reset();
    scene.proxy.next("GET", crate::scene::OBJECT, 1, Fault::CutAfter(20_000));
    scene.proxy.always("GET", crate::scene::OBJECT, Fault::Trickle(16 * 1024, Duration::from_millis(5)));
    run.answer(Answer::Retry).await.unwrap();
    run.finish().await;
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_replaced_after_the_plan_is_not_read() {
    for (place, before) in
        [(Place::Folder, "prove"), (Place::Bucket, "prove"), (Place::Folder, "restore"), (Place::Bucket, "restore")]
    {
        let scene = Scene::with(place, |shop| Form::Custom.bytes(shop)).await;
        let production = scene.production();
        let plan = scene.plan(json!({})).await.unwrap();
        let mut other = scene.shop.custom.clone();
        *other.last_mut().unwrap() ^= 1;
        if before == "prove" {
            scene.put(place, &other);
        }
        let mut run = scene.begin(&plan).await;
        if before == "restore" {
            run.go_on(at("restore")).await.unwrap();
            scene.put(place, &other);
        }
        let said = stopped_at(&mut run, before).await;
        assert!(said.contains("replaced"), "{place:?} {before}: {said}");
        taken_back(&scene, &mut run, &production).await;
    }
}
