//! Frontends that die in the middle of a restore: the run goes on without them and waits for the next one.

use crate::crashes::{Shut, gated, wait_in_restore};
use crate::line::{Line, STEPS};
use crate::pty::Terminal;
use crate::scene::{Place, RELIGHT, Scene};
use relight::event::{EventKind, Purpose};
use relight::runner::runs::{self, RunEntry};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

const RUN: [&str; 9] =
    ["run", "restore-postgres", "--set", "asset=orders", "--set", "backup=latest", "--plain", "--arm", "restore"];

pub fn newest(scene: &Scene) -> RunEntry {
    runs::list(&scene.state()).unwrap().remove(0)
}

pub fn side(scene: &Scene) -> String {
    newest(scene).state.unwrap().plan.names["side"].as_str().unwrap().to_owned()
}

/// Waits until the run, with nobody watching, stands at a question.
pub fn waits_alone(scene: &Scene) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while newest(scene).word() != "waiting for you" {
        assert!(Instant::now() < deadline, "it does not come to its question: {:?}", newest(scene).state);
    }
}

/// `relight attach` ends the run that someone left behind.
pub fn attach_finishes(scene: &Scene, production: &(String, String)) {
    waits_alone(scene);
    assert_eq!(&scene.production(), production, "production is untouched");
    let (text, code) = Line::open(scene, &["attach", "latest"]).finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    restored_once(scene, 1);
}

fn restored_once(scene: &Scene, attempts: usize) {
    assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
    let events = relight::journal::read(&newest(scene).folder.path).unwrap();
    let begun = |wanted: &str| {
        let fits = |kind: &EventKind| matches!(kind, EventKind::TaskIntended { step, purpose: Purpose::Run, .. } if step.as_str() == wanted);
        events.iter().filter(|event| fits(&event.kind)).count()
    };
    assert_eq!((begun("restore"), begun("swap")), (attempts, 1), "one swap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frontend_killed_in_pg_restore_is_not_needed_and_attach_finishes() {
    let scene = gated(Place::Bucket, "custom").await;
    let production = scene.production();
    let mut line = Line::open(&scene, &RUN);
    line.until("Start this plan?");
    line.say("yes");
    line.go_on_to(&format!("(step 5 of {STEPS})")).unwrap();
    let shut = Shut::on(&scene.shop.cluster, &side(&scene));
    line.say("yes");
    wait_in_restore(&scene, &side(&scene));
    drop(line);
    assert!(newest(&scene).runner.is_some(), "its runner lives on");
    drop(shut);
    attach_finishes(&scene, &production);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_closed_in_the_restore_is_not_needed_and_attach_finishes() {
    let scene = gated(Place::Folder, "plain").await;
    let production = scene.production();
    let (config, state) = (scene.config(), scene.state());
    let mut arguments = vec!["--config".into(), config.into_os_string(), "--state".into(), state.into_os_string()];
    arguments.extend(RUN.map(Into::into));
    let mut terminal = Terminal::start(Path::new(RELIGHT), &arguments, &BTreeMap::new(), (120, 60)).unwrap();
    let patience = Duration::from_mins(1);
    terminal.wait_for("Start this plan?", patience).unwrap();
    terminal.type_keys("yes<enter>").unwrap();
    for step in [3, 5] {
        let answers = format!("(step {step} of {STEPS})");
        terminal
            .wait("the question", patience, |screen| {
                screen.find(&answers).is_some_and(|at| screen[at..].contains("answers:"))
            })
            .unwrap();
        if step == 5 {
            let shut = Shut::on(&scene.shop.cluster, &side(&scene));
            terminal.type_keys("yes<enter>").unwrap();
            wait_in_restore(&scene, &side(&scene));
            terminal.close().unwrap();
            terminal.exit_code(Duration::from_secs(10)).unwrap();
            assert!(newest(&scene).runner.is_some(), "its runner lives on");
            drop(shut);
            break;
        }
        terminal.type_keys("yes<enter>").unwrap();
    }
    attach_finishes(&scene, &production);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_under_its_frontend_is_resumed_and_swaps_once() {
    let scene = gated(Place::Bucket, "custom").await;
    let mut line = Line::open(&scene, &RUN);
    line.until("Start this plan?");
    line.say("yes");
    line.go_on_to(&format!("(step 5 of {STEPS})")).unwrap();
    let shut = Shut::on(&scene.shop.cluster, &side(&scene));
    line.say("yes");
    wait_in_restore(&scene, &side(&scene));
    crate::crashes::kill(newest(&scene).runner.unwrap());
    let (text, code) = line.finish();
    assert!(code == Some(3) && text.contains("RUNNER LOST") && text.contains("relight resume"), "{text}");
    drop(shut);
    let (text, code) = Line::open(&scene, &["resume", "latest"]).finish();
    assert!(code == Some(0) && text.contains(": COMPLETED"), "{text}");
    restored_once(&scene, 2);
}
