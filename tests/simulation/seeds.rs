//! Runs under a seeded scheduler: the real engine, the real ledger, the real journal lines over a simulated
//! disk, clock, world and operators. `RELIGHT_SIM_SEEDS=1000000` plays longer; `RELIGHT_SIM_SEED=17` plays one
//! seed and prints its trace.
#![expect(clippy::match_same_arms, reason = "each line says what may happen in one case")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must stop")]

extern crate relight_layers as relight;

mod dice;
mod disk;
mod endings;
mod hands;
mod leases;
mod operator;
mod plans;
#[path = "../engine/promises.rs"]
mod promises;
mod seat;
mod seats;
mod shared;
mod sim;
mod stories;
mod wire;
mod world;

use sim::{Held, Sim};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What takes some ten seconds on two cores; `tests/all.sh` plays 100 000.
const SEEDS: u64 = 5_000;
/// Seeds that share a plan: making one costs more than a run of it.
const SHARED: u64 = 64;
const HORIZON: usize = 60;
/// Of how many seeds one is also played on several machines: such a play is longer than one on a single machine.
const SHARE: u64 = 40;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn play(prepared: &plans::Prepared, seed: u64, horizon: usize, traced: bool) -> (Held, Vec<String>) {
    let mut sim = Sim::new(prepared, seed, traced);
    let held = catch_unwind(AssertUnwindSafe(|| {
        sim.play(horizon)?;
        if seed.is_multiple_of(64) || traced {
            promises::hold(sim.events());
        }
        Ok(())
    }));
    let held = held.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned())).unwrap_or_default())
    });
    (held, sim.trace())
}

/// The shortest play of the seed that still fails, with its trace.
fn tell(seed: u64) -> String {
    let prepared = plans::prepare(seed / SHARED);
    for horizon in 0..=HORIZON {
        let (held, trace) = play(&prepared, seed, horizon, true);
        if let Err(what) = held {
            let steps: Vec<String> =
                prepared.plan.steps.iter().map(|step| serde_json::to_string(step).unwrap()).collect();
            let (steps, trace) = (steps.join("\n"), trace.join("\n"));
            return format!(
                "seed {seed}, {} run, horizon {horizon}: {what}\n{steps}\n{trace}\nseed {seed}: {what}",
                prepared.plan.mode
            );
        }
    }
    format!("seed {seed} failed once and does not fail again")
}

#[test]
fn runs_keep_their_promises_whatever_happens() {
    if let Some(seed) = number("RELIGHT_SIM_SEED") {
        let prepared = plans::prepare(seed / SHARED);
        let (held, trace) = play(&prepared, seed, HORIZON, true);
        println!("{}", trace.join("\n"));
        assert!(held.is_ok(), "{}", tell(seed));
        return;
    }
    let seeds = number("RELIGHT_SIM_SEEDS").unwrap_or(SEEDS);
    let first = number("RELIGHT_SIM_FROM").unwrap_or(0);
    let next = AtomicU64::new(first / SHARED);
    let failed: Mutex<Vec<(u64, String)>> = Mutex::new(vec![]);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let work = || {
        loop {
            let batch = next.fetch_add(1, Ordering::Relaxed);
            if batch * SHARED >= first + seeds || failed.lock().unwrap().len() > 20 {
                return;
            }
            let prepared = plans::prepare(batch);
            for seed in batch * SHARED..((batch + 1) * SHARED).min(first + seeds) {
                if let (Err(what), _) = play(&prepared, seed, HORIZON, false) {
                    failed.lock().unwrap().push((seed, what));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    for (seed, what) in &failed {
        println!("seed {seed}: {what}");
    }
    if let Some((seed, _)) = failed.first() {
        panic!("{} seeds failed; the first:\n{}", failed.len(), tell(*seed));
    }
}

#[test]
fn nobody_acts_under_a_lease_that_someone_else_holds() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let first = number("RELIGHT_SIM_SEED").or(number("RELIGHT_SIM_FROM")).unwrap_or(0);
    let seeds = if number("RELIGHT_SIM_SEED").is_some() { 1 } else { number("RELIGHT_SIM_SEEDS").unwrap_or(SEEDS) };
    for seed in first..first + seeds {
        let mut sim = leases::Sim::new(seed);
        let held = runtime.block_on(sim.play(HORIZON));
        assert!(held.is_ok(), "seed {seed}: {held:?}\n{}", sim.trace.join("\n"));
    }
}

/// One seed of a run that several machines can drive.
fn play_seats(prepared: &plans::Prepared, seed: u64, turns: usize, traced: bool) -> (Held, Vec<String>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut sim = seats::Sim::new(prepared, seed, traced);
        let mut held = sim.play(turns).await;
        if held.is_ok() && seed.is_multiple_of(64) {
            let journals = sim.journals();
            let kept = catch_unwind(AssertUnwindSafe(|| journals.iter().for_each(|events| promises::hold(events))));
            held = kept.map_err(|_| "a journal breaks a promise".to_owned());
        }
        (held, sim.trace())
    })
}

#[test]
fn one_run_on_three_machines_is_driven_by_one_of_them_at_a_time() {
    let seeds = number("RELIGHT_SIM_SEEDS").unwrap_or(SEEDS) / SHARE;
    let (first, seeds) = match number("RELIGHT_SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (number("RELIGHT_SIM_FROM").unwrap_or(0), seeds),
    };
    let next = AtomicU64::new(first / SHARED);
    let failed: Mutex<Vec<(u64, String)>> = Mutex::new(vec![]);
    let work = || {
        loop {
            let batch = next.fetch_add(1, Ordering::Relaxed);
            if batch * SHARED >= first + seeds || failed.lock().unwrap().len() > 20 {
                return;
            }
            let prepared = plans::locked(&plans::prepare(batch));
            for seed in (batch * SHARED).max(first)..((batch + 1) * SHARED).min(first + seeds) {
                if let (Err(what), _) = play_seats(&prepared, seed, HORIZON, false) {
                    failed.lock().unwrap().push((seed, what));
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    for (seed, what) in &failed {
        println!("seed {seed}: {}", &what[..what.len().min(300)]);
    }
    if let Some((seed, what)) = failed.first() {
        let prepared = plans::locked(&plans::prepare(seed / SHARED));
        let shortest =
            (0..=HORIZON).map(|turns| play_seats(&prepared, *seed, turns, true)).find(|(held, _)| held.is_err());
        let trace = shortest.map(|(_, trace)| trace).unwrap_or_default();
        panic!("{} seeds failed; seed {seed}: {what}\n{}\nseed {seed}: {what}", failed.len(), trace.join("\n"));
    }
}
