//! Runs in the list and on screen, with a runner that the test plays itself.

use super::estate::{World, noon, until};
use futures::{SinkExt as _, StreamExt as _};
use relight::catalog::Catalog;
use relight::journal::{FileJournal, Journal as _};
use relight::model::task::Values;
use relight::runbook::engine::Now;
use relight::runbook::{Engine, Input, Mode, load};
use relight::runner::protocol::{FromRunner, ToRunner};
use relight::runner::{Ground, Listing, RunFolder, module_rows, planner, spawn};
use relight::session::{Link, Request};
use rustix::fs::{FlockOperation, flock};
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio_util::codec::{Framed, LinesCodec};

const RUNBOOK: &str = r#"
id = "ask"
title = "Ask"
kind = "restore"
[[steps]]
id = "question"
title = "Ask"
ask = "How many rows?"
answer = "integer"
"#;

async fn new_run(world: &World) -> RunFolder {
    let parts = &world.parts;
    let ground = Ground {
        estate: Arc::clone(&parts.estate),
        stores: Arc::clone(&parts.stores),
        writable: Arc::clone(&parts.writable),
        secrets: Arc::clone(&parts.secrets),
        clock: Arc::clone(&parts.clock),
        actor: parts.actor.clone(),
        state_dir: parts.state_dir.clone(),
        catalog: Arc::new(Catalog::default()),
        modules: parts.modules.clone(),
    };
    let runbook = load::parse("ask", "ask.toml", RUNBOOK, &module_rows(&ground.modules)).unwrap();
    let plan = planner::make_plan(&ground, &runbook, &Values::new(), Mode::Real, |_| ()).await.unwrap();
    spawn::create(&parts.state_dir, &plan, &parts.config_path, &parts.actor, noon()).unwrap()
}

/// A runner takes the run up: what the journal says then.
fn taken_up(folder: &RunFolder) {
    let opened = FileJournal::open(&folder.path).unwrap();
    let state = relight::runbook::engine::replay(&opened.events).unwrap();
    let engine = Engine::new(state.clone(), state.operator.clone());
    let hello = Input::Recovered { pid: 1, version: "test".to_owned() };
    let mut journal = opened.journal;
    for event in engine.handle(&hello, Now { at: noon(), mono_ms: 0 }).events {
        journal.append(&event).unwrap();
    }
}

#[tokio::test]
async fn a_journal_is_read_again_once_it_has_grown() {
    let state = tempfile::tempdir().unwrap();
    let world = World::new(state.path());
    let folder = new_run(&world).await;
    let mut listing = Listing::default();
    let seq = |entries: Vec<relight::runner::RunEntry>| entries[0].state.as_ref().unwrap().seq;
    assert_eq!(seq(listing.look(state.path()).unwrap()), 1);
    assert_eq!(seq(listing.look(state.path()).unwrap()), 1);
    taken_up(&folder);
    assert_eq!(seq(listing.look(state.path()).unwrap()), 2);
    std::fs::remove_dir_all(&folder.path).unwrap();
    assert!(listing.look(state.path()).unwrap().is_empty());
}

#[tokio::test]
async fn the_run_on_screen_finds_its_runner_again() {
    let state = tempfile::tempdir().unwrap();
    let world = World::new(state.path());
    let folder = new_run(&world).await;
    let session = world.start();
    session.handle.requests.send(Request::OpenRun { run: folder.run.clone() }).await.unwrap();
    let lost = |link: &Link| matches!(link, Link::Lost(_));
    until(&session.handle, "no runner", |v| v.open_run.as_ref().is_some_and(|run| lost(&run.link))).await;

    // Someone else brings the run back: the lock is held, the socket answers.
    let lock = std::fs::File::create(folder.lock()).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let listener = UnixListener::bind(folder.socket()).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut lines = Framed::new(stream, LinesCodec::new());
    let hello: ToRunner = serde_json::from_str(&lines.next().await.unwrap().unwrap()).unwrap();
    assert_eq!(
        hello,
        ToRunner::Hello { actor: world.parts.actor.clone(), after: 1 },
        "only what is missing is asked for"
    );
    lines.send(serde_json::to_string(&FromRunner::CaughtUp { seq: 1 }).unwrap()).await.unwrap();
    until(&session.handle, "the line again", |v| v.open_run.as_ref().is_some_and(|run| run.link == Link::Connected))
        .await;

    // What the console decides and the run declines is said.
    let arm = Request::Arm { reason: "rows lost".to_owned(), incident: None, span: std::time::Duration::from_mins(5) };
    session.handle.requests.send(arm).await.unwrap();
    let wish: ToRunner = serde_json::from_str(&lines.next().await.unwrap().unwrap()).unwrap();
    let ToRunner::Intent { id, .. } = wish else { panic!("{wish:?}") };
    let no = FromRunner::Refused { id, why: "the run is being aborted".to_owned() };
    lines.send(serde_json::to_string(&no).unwrap()).await.unwrap();
    let declined = |what: &str| what.contains("did not follow: the run is being aborted");
    until(&session.handle, "the run's no", |v| v.notices.iter().any(|notice| declined(&notice.what))).await;
}
