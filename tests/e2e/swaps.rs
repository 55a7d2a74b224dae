//! A runner killed inside the swap of databases, at each of its moments: the next one looks, and in the end
//! there was one swap and nothing is closed any more.

use crate::crashes::{begun, kill, runner_gone};
use crate::operator::{Run, at};
use crate::postgres::Cluster;
use crate::scene::{Form, Place, Scene};
use relight::event::EventKind;
use relight::model::task::Reality;
use relight::runbook::Answer;
use relight::runbook::state::{QuestionKind, RunStatus};
use relight::runner::runs;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::Write as _;
use std::process::Child;

/// A run that stands at the question of its swap, with what production was before it.
struct Before {
    run: Run,
    production: (String, String),
    side: String,
    side_oid: String,
    aside: String,
}

/// A limit of its own, which must come through.
const LIMIT: &str = "47";

async fn before_the_swap(scene: &Scene) -> Before {
    let live = &scene.database;
    scene.shop.cluster.sql("postgres", &format!("ALTER DATABASE {live} CONNECTION LIMIT {LIMIT}"));
    let production = scene.production();
    let plan = scene.plan(json!({})).await.unwrap();
    let name = |of: &str| plan.names[of].as_str().unwrap().to_owned();
    let (side, aside) = (name("side"), name("aside"));
    let mut run = scene.begin(&plan).await;
    run.go_on(at("swap")).await.unwrap();
    let side_oid = scene.shop.oid(&side);
    Before { run, production, side, side_oid, aside }
}

impl Before {
    async fn types_the_phrase(&mut self) {
        let question = self.run.state().question.clone().unwrap();
        let QuestionKind::Phrase { phrase } = question.kind else { panic!("{question:?}") };
        self.run.answer(Answer::Phrase { text: phrase }).await.unwrap();
    }

    /// Kills the runner where it stands.
    async fn killed(&mut self) {
        kill(runs::read(&self.run.folder).runner.unwrap());
        self.run.gone().await;
        runner_gone(&self.run);
    }

    /// A new runner comes to the question of the swap again; production is as it was and takes sessions.
    async fn asked_again(&mut self, scene: &Scene) {
        scene.start(&self.run.folder).await;
        self.run = Run::attach(&self.run.folder).await;
        let asked = self.run.go_on(at("swap")).await.unwrap_or_else(|| panic!("{}", self.run.describe()));
        assert!(matches!(asked.kind, QuestionKind::Phrase { .. }), "{asked:?}");
        let not_done = |event: &EventKind| matches!(event, EventKind::Reconciled { reality: Reality::NotDone(_), .. });
        assert!(self.run.events.iter().any(not_done), "it looked at the databases before it asked");
        assert_eq!(scene.production(), self.production, "production is as it was");
        assert_eq!(closed(scene), "", "and nothing is closed");
    }

    /// The restored database has the live name with its limit, the old one the dated name, all take sessions.
    fn swapped_once(&self, scene: &Scene, attempts: usize) {
        assert_eq!(begun(&self.run, "swap"), attempts);
        assert_eq!(scene.shop.oid(&scene.database), self.side_oid, "one swap");
        assert_eq!(scene.shop.cluster.content(&scene.database), scene.shop.content);
        assert_eq!((scene.shop.oid(&self.aside), scene.shop.cluster.content(&self.aside)), self.production);
        assert_eq!(scene.shop.databases(&scene.database), [self.aside.as_str()]);
        assert_eq!(closed(scene), "");
        let limit = format!("SELECT datconnlimit FROM pg_database WHERE datname = '{}'", scene.database);
        assert_eq!(scene.shop.cluster.sql("postgres", &limit), LIMIT);
        relight::journal::verify(&self.run.folder.path).unwrap();
    }
}

/// Databases of the scene that take no sessions.
fn closed(scene: &Scene) -> String {
    let of = format!("datname = '{0}' OR datname LIKE '{0}\\_%'", scene.database);
    let query = format!("SELECT datname FROM pg_database WHERE ({of}) AND NOT datallowconn ORDER BY 1");
    scene.shop.cluster.sql("postgres", &query)
}

/// A session that cannot be ended: its server process is stopped until this is dropped.
pub struct Deaf {
    backend: Pid,
    guest: Child,
}

impl Deaf {
    pub fn on(cluster: &Cluster, database: &str) -> Self {
        let guest = cluster.guest(database);
        let query = format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'psql' LIMIT 1"
        );
        let backend = Pid::from_raw(cluster.sql("postgres", &query).parse().unwrap()).unwrap();
        kill_process(backend, Signal::STOP).unwrap();
        Self { backend, guest }
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        let _ = kill_process(self.backend, Signal::CONT);
        let _ = self.guest.kill();
        let _ = self.guest.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_sessions_leave() {
    let scene = Scene::with(Place::Bucket, |shop| Form::CustomGz.bytes(shop)).await;
    let mut before = before_the_swap(&scene).await;
    let deaf = Deaf::on(&scene.shop.cluster, &scene.database);
    before.types_the_phrase().await;
    let both = format!(
        "SELECT count(*) = 2 FROM pg_database WHERE NOT datallowconn AND datname IN ('{}', '{}')",
        scene.database, before.side
    );
    scene.shop.wait_until("both databases are closed", &both);
    before.killed().await;
    assert_ne!(closed(&scene), "", "it died with the databases closed");
    drop(deaf);
    before.asked_again(&scene).await;
    assert_eq!(before.run.finish().await, RunStatus::Completed, "{}", before.run.failures());
    before.swapped_once(&scene, 2);
}

/// Holds the side database's name, so that the second rename waits; let go when dropped.
struct Held(Child);

impl Held {
    fn name_of(scene: &Scene, oid: &str, name: &str) -> Self {
        let mut session = scene.shop.cluster.guest("postgres");
        let hold = format!("BEGIN; COMMENT ON DATABASE {name} IS 'held';\n");
        session.stdin.as_mut().unwrap().write_all(hold.as_bytes()).unwrap();
        let held = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'object' AND granted \
            AND classid = 'pg_database'::regclass AND objid = ";
        scene.shop.wait_until("the name is held", &format!("{held}{oid}"));
        Self(session)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Sessions of the run that wait for the held name: inside the transaction, between its two renames.
fn waiting(side_oid: &str) -> String {
    format!(
        "SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted \
         AND l.classid = 'pg_database'::regclass AND l.objid = {side_oid} AND a.application_name LIKE 'relight:%'"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_renames_and_its_session_still_waits() {
    let scene = Scene::with(Place::Folder, |shop| Form::Custom.bytes(shop)).await;
    let mut before = before_the_swap(&scene).await;
    let held = Held::name_of(&scene, &before.side_oid, &before.side);
    before.types_the_phrase().await;
    scene.shop.wait_until("the second rename waits", &waiting(&before.side_oid));
    before.killed().await;
    let lives = waiting(&before.side_oid);
    assert_eq!(scene.shop.cluster.sql("postgres", &lives), "t", "its session outlives it");
    before.asked_again(&scene).await;
    assert_eq!(scene.shop.cluster.sql("postgres", &lives), "f", "that session can rename nothing any more");
    drop(held);
    assert_eq!(before.run.finish().await, RunStatus::Completed, "{}", before.run.failures());
    before.swapped_once(&scene, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_renames_and_its_session_goes_on_alone() {
    let scene = Scene::with(Place::Bucket, |shop| Form::PlainGz.bytes(shop)).await;
    let mut before = before_the_swap(&scene).await;
    let held = Held::name_of(&scene, &before.side_oid, &before.side);
    before.types_the_phrase().await;
    scene.shop.wait_until("the second rename waits", &waiting(&before.side_oid));
    before.killed().await;
    drop(held);
    let renamed = format!("SELECT oid = {} FROM pg_database WHERE datname = '{}'", before.side_oid, scene.database);
    scene.shop.wait_until("the transaction was committed", &renamed);
    scene.start(&before.run.folder).await;
    before.run = Run::attach(&before.run.folder).await;
    assert_eq!(before.run.finish().await, RunStatus::Completed, "{}", before.run.failures());
    let done = |event: &EventKind| matches!(event, EventKind::Reconciled { reality: Reality::Done(_), .. });
    assert!(before.run.events.iter().any(done), "it saw that the swap had been done");
    before.swapped_once(&scene, 1);
}
