//! The real loop on a fake screen: keys in, requests out, and nothing drawn when nothing changed.

use super::harness::options;
use super::{estate, runs};
use crossterm::event::{Event, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use relight::session::{Request, SessionHandle, View};
use relight::tui::keys::Key;
use relight::tui::{App, Exit, Host, Input, drive};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;

#[derive(Default)]
struct FakeHost {
    copied: Vec<String>,
    gone: Arc<AtomicBool>,
}

impl Host for FakeHost {
    fn copy(&mut self, text: &str) -> io::Result<()> {
        self.copied.push(text.to_owned());
        Ok(())
    }
    fn capture_mouse(&mut self, _on: bool) -> io::Result<()> {
        Ok(())
    }
    fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn resume(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }
}

struct Rig {
    keys: mpsc::Sender<Input>,
    requests: mpsc::Receiver<Request>,
    views: watch::Sender<Arc<View>>,
    gone: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<(Exit, Vec<String>)>,
}

fn start(view: View) -> Rig {
    let (sender, requests) = mpsc::channel(16);
    let (views, receiver) = watch::channel(Arc::new(view));
    let (keys, inputs) = mpsc::channel(64);
    let handle = SessionHandle { requests: sender, view: receiver.clone() };
    let app = App::new(&handle, &options()).unwrap();
    let gone = Arc::new(AtomicBool::new(false));
    let mut host = FakeHost { copied: Vec::new(), gone: Arc::clone(&gone) };
    let task = tokio::spawn(async move {
        let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
        let exit = drive(app, &mut terminal, &mut host, ReceiverStream::new(inputs), receiver).await;
        drop(handle);
        (exit, host.copied)
    });
    Rig { keys, requests, views, gone, task }
}

impl Rig {
    async fn press(&self, keys: &str) {
        for name in keys.split_whitespace() {
            let key: Key = name.parse().unwrap();
            let modifiers = if key.ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
            self.keys.send(Input::Event(Event::Key(KeyEvent::new(key.code, modifiers)))).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_restore_is_planned_approved_and_started() {
    let mut rig = start(estate::view());
    rig.press("R M p").await;
    let Some(Request::MakePlan { runbook, params, mode, answer }) = rig.requests.recv().await else { panic!() };
    assert_eq!((runbook.as_str(), mode), ("restore-postgres", relight::runbook::Mode::Real));
    assert_eq!(params["asset"], "orders-db");
    assert_eq!(params["jobs"], 4);
    answer.send(Ok(runs::plan())).unwrap();
    // Keys that come before the preview is there mean nothing to the form, and a confirmation counts only once
    // its question was on the screen: press one after the other until it answers.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    let mut keys = ["s", "y"].into_iter().cycle();
    let request = loop {
        rig.press(keys.next().unwrap()).await;
        match tokio::time::timeout(Duration::from_millis(100), rig.requests.recv()).await {
            Ok(request) => break request,
            Err(_) => assert!(tokio::time::Instant::now() < deadline, "the plan never came"),
        }
    };
    let Some(Request::StartRun { plan, answer }) = request else { panic!() };
    assert_eq!(plan.digest, runs::plan().digest);
    answer.send(Ok("run-1".into())).unwrap();
    let Some(Request::OpenRun { run }) = rig.requests.recv().await else { panic!() };
    assert_eq!(run.as_str(), "run-1");
    let mut open = runs::run_at(0, relight::runbook::StepState::Pending, relight::runbook::RunStatus::Ready);
    open.state.id = "run-1".into();
    let mut view = estate::view();
    view.open_run = Some(Arc::new(open));
    rig.views.send(Arc::new(view)).unwrap();
    let Some(Request::Intent { intent, .. }) = rig.requests.recv().await else { panic!() };
    assert_eq!(intent, relight::runbook::Intent::Start { plan_digest: runs::plan().digest });
    rig.press("ctrl-c ctrl-c").await;
    assert_eq!(rig.task.await.unwrap().0, Exit::Quit);
}

#[tokio::test]
async fn copy_reaches_the_clipboard_and_signals_end_the_loop() {
    let rig = start(estate::view());
    rig.press("y").await;
    rig.keys.send(Input::Stop(15)).await.unwrap();
    let (exit, copied) = rig.task.await.unwrap();
    assert_eq!((exit, copied), (Exit::Signal(15), vec!["orders-db".to_owned()]));
}

#[tokio::test]
async fn a_vanished_terminal_ends_the_loop() {
    let rig = start(estate::view());
    rig.gone.store(true, Ordering::SeqCst);
    assert_eq!(rig.task.await.unwrap().0, Exit::TerminalGone);
}

#[tokio::test]
async fn the_end_of_the_session_ends_the_loop() {
    let rig = start(estate::view());
    drop(rig.views);
    assert_eq!(rig.task.await.unwrap().0, Exit::SessionGone);
}
