//! What seeds have told, each as a story of its own.

use crate::dice::Dice;
use crate::disk::{Platter, Shared};
use crate::plans::{actor, epoch};
use crate::shared::{Pool, Wall};
use bytes::Bytes;
use relight::event::{Event, EventKind, Purpose};
use relight::journal::lease::{Claim, Leases};
use relight::journal::{ChainedJournal, Head, Journal as _, mirror};
use relight::model::id::RunId;
use relight::model::task::Effect;
use relight::runbook::plan::PlannedAction;
use relight::runbook::{Intent, Plan, PlannedStep};
use relight::runner::bond::{Bond, Granted};
use relight::runner::mirror::Mirroring;
use relight::stores::SharedPlace as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

fn leases() -> (Arc<Pool>, Leases) {
    let pool = Arc::new(Pool::new(Dice::new(0)));
    let clock = Arc::new(Wall::new(epoch()));
    (Arc::clone(&pool), Leases::shared(pool, clock, "seat0".to_owned(), Duration::from_mins(1)))
}

fn claim(epoch: u64) -> Claim {
    Claim { run: RunId::from("r1"), holder: actor("ada"), scopes: vec!["a".to_owned(), "b".to_owned()], epoch }
}

#[tokio::test]
async fn a_run_whose_lease_was_asked_for_again_half_way_is_not_fenced_off_by_itself() {
    let (pool, leases) = leases();
    leases.acquire(&claim(0), |_| false).await.unwrap();
    pool.look().deaf = Some("b".to_owned());
    leases.acquire(&claim(1), |_| false).await.unwrap_err();
    assert!(pool.look().leases().values().all(relight::model::lease::Lease::is_held), "what it held it keeps");
    pool.look().deaf = None;
    let held = leases.take_up(&claim(1)).await.unwrap();
    assert_eq!(held.scopes(), ["a", "b"]);
}

#[tokio::test]
async fn a_first_claim_that_breaks_off_gives_back_what_it_took() {
    let (pool, leases) = leases();
    pool.look().deaf = Some("b".to_owned());
    leases.acquire(&claim(0), |_| false).await.unwrap_err();
    assert!(pool.look().leases().values().all(|lease| !lease.is_held()));
}

#[tokio::test]
async fn a_release_that_broke_off_half_way_is_made_up_for() {
    let (pool, leases) = leases();
    let mut held = leases.acquire(&claim(0), |_| false).await.unwrap();
    pool.look().deaf = Some("b".to_owned());
    held.release().await.unwrap_err();
    assert_eq!(pool.look().leases().values().filter(|lease| lease.is_held()).count(), 1);
    pool.look().deaf = None;
    leases.give_back(&claim(1)).await.unwrap();
    assert!(pool.look().leases().values().all(|lease| !lease.is_held()));
    // Nobody else's is given back.
    let other = Claim { run: RunId::from("r2"), ..claim(0) };
    leases.acquire(&other, |_| false).await.unwrap();
    leases.give_back(&claim(1)).await.unwrap();
    assert!(pool.look().leases().values().all(relight::model::lease::Lease::is_held));
}

/// A journal that begins with `lines` and goes on with a lease under this epoch.
fn taken(lines: &[Bytes], epoch: u64) -> Vec<Bytes> {
    let disk = Shared(Arc::new(Mutex::new(Platter::new(Dice::new(0)))));
    let path = Path::new("copy");
    let mut journal = if let Some(last) = lines.last() {
        let head = Head { seq: lines.len() as u64, hash: String::from_utf8(last[9..73].to_vec()).unwrap() };
        disk.look().bytes = lines.concat();
        ChainedJournal::take_up(path, &lines.concat(), Some(&head), || Ok(disk.clone())).unwrap().journal
    } else {
        ChainedJournal::begin(disk.clone(), path).unwrap()
    };
    let kind = EventKind::LeaseAcquired { epoch, scopes: vec![], place: "here".to_owned(), taken_from: None };
    let event = Event { seq: lines.len() as u64 + 1, kind, ..crate::plans::prepare(0).first };
    journal.append(&event).unwrap();
    let bytes = disk.look().bytes.clone();
    bytes.split_inclusive(|byte| *byte == b'\n').map(Bytes::copy_from_slice).collect()
}

async fn put(pool: &Pool, lines: &[Bytes], seq: usize, epoch: u64) {
    let name = format!("runs/r1/journal/{seq:010}-{epoch:010}");
    pool.create(&name, lines[seq - 1].clone()).await.unwrap();
}

#[tokio::test]
async fn what_a_fenced_off_holder_puts_late_does_not_break_the_mirror_of_whoever_came_after_the_next() {
    let pool = Pool::new(Dice::new(0));
    let first = taken(&taken(&taken(&[], 0), 1), 1);
    for (seq, epoch) in [(1, 0), (2, 1)] {
        put(&pool, &first, seq, epoch).await;
    }
    // The second takes over after two entries; before anything of it is there, the first puts its third, and
    // the third takes over after three.
    let second = taken(&first[..2], 2);
    put(&pool, &first, 3, 1).await;
    let third = taken(&first, 3);
    put(&pool, &third, 4, 3).await;
    put(&pool, &second, 3, 2).await;
    let told = mirror::copy(&pool, &RunId::from("r1")).await.unwrap();
    assert_eq!(told.lines, third);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_waits_until_the_shared_place_tells_of_it() {
    let pool = Arc::new(Pool::new(Dice::new(0)));
    let mut platter = Platter::new(Dice::new(0));
    platter.bytes = taken(&taken(&[], 0), 1).concat();
    let disk = Shared(Arc::new(Mutex::new(platter)));
    pool.look().faults = 100;
    let mirroring = Mirroring::start(crate::seat::to_mirror(&disk), pool.clone(), 2);
    let mut told = mirroring.up_to_now();
    let why = told.wait(Duration::from_secs(10)).await.unwrap_err();
    assert!(why.contains("does not tell of it yet: ") && why.contains("no answer"), "{why}");
    pool.look().faults = 0;
    told.wait(Duration::from_mins(1)).await.unwrap();
    assert_eq!(pool.look().entries.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_waited_with_its_process_holds_from_when_it_was_asked_for() {
    let (pool, leases) = leases();
    let changes = |plan: &Plan| {
        let acts =
            |step: &&PlannedStep| step.effect != Effect::Observe && matches!(step.action, PlannedAction::Task(_));
        plan.steps.iter().find(acts).map(|step| step.id.clone())
    };
    let (plan, step) = (0..)
        .map(|seed| crate::plans::locked(&crate::plans::prepare(seed)).plan)
        .find_map(|plan| Some((Arc::new(plan.clone()), changes(&plan)?)))
        .unwrap();
    let mut bond = Bond::new(leases, Arc::clone(&plan));
    let (answer, _nobody) = oneshot::channel();
    let start = Intent::Start { plan_digest: plan.digest.clone() };
    bond.ask(claim(0), |_| false, (actor("ada"), start, answer));
    // The place has answered; the process stood still before it looked at that, and then has no network.
    let asked = bond.granted.recv().await.unwrap();
    tokio::time::sleep(Duration::from_secs(70)).await;
    pool.look().faults = 100;
    let disk = Shared(Arc::new(Mutex::new(Platter::new(Dice::new(0)))));
    let granted = bond.grant(asked, claim(0), crate::seat::to_mirror(&disk), 0);
    assert!(matches!(granted, Granted::Yes { .. }));
    let mut guard = bond.guard(&step, 1, Purpose::Run).unwrap();
    let why = guard.prove().await.unwrap_err();
    assert!(why.contains("no answer"), "{why}");
}
