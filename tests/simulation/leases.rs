//! Runs that want the same scopes, from several machines, in a shared place that loses requests and answers:
//! the console's own registry of leases, and what no order of events may lead to.

use crate::dice::Dice;
use crate::plans::{actor, epoch};
use crate::shared::{Pool, Wall};
use relight::journal::lease::{Claim, Held, LeaseError, Leases};
use relight::model::actor::Actor;
use relight::model::id::RunId;
use relight::model::lease::Lease;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const TERM: Duration = Duration::from_mins(1);
const SEATS: usize = 3;
/// What each run locks: no two of them go together.
const RUNS: [(&str, &[&str]); 3] = [("r0", &["a", "b"]), ("r1", &["b", "c"]), ("r2", &["a", "c"])];

/// A process that drives a run, or believes that it does.
struct Runner {
    seat: usize,
    run: usize,
    pid: u32,
    held: Option<Held>,
}

pub struct Sim {
    dice: Dice,
    wall: Arc<Wall>,
    pool: Arc<Pool>,
    seats: Vec<Leases>,
    runners: Vec<Runner>,
    /// The epoch that a seat's journal of a run tells of; there is none for a run that never was there.
    journals: BTreeMap<(usize, usize), u64>,
    /// Runs that a seat knows to be over.
    over: BTreeSet<(usize, usize)>,
    /// Processes that proved an epoch of a scope, in turn.
    proved: BTreeMap<(String, u64), Vec<u32>>,
    pids: u32,
    pub trace: Vec<String>,
}

type Told = Result<(), String>;

impl Sim {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x1ea5_e000);
        let wall = Arc::new(Wall::new(epoch()));
        let pool = Arc::new(Pool::new(Dice::new(dice.throw())));
        let seat = |number| Leases::shared(pool.clone(), wall.clone(), format!("seat{number}"), TERM);
        let seats = (0..SEATS).map(seat).collect();
        Self {
            dice,
            wall,
            pool,
            seats,
            runners: vec![],
            journals: BTreeMap::new(),
            over: BTreeSet::new(),
            proved: BTreeMap::new(),
            pids: 0,
            trace: vec![],
        }
    }

    pub async fn play(&mut self, turns: usize) -> Told {
        for _ in 0..turns {
            self.wall.pass(self.dice.pick(&[10, 500, 5_000, 5_000, 40_000, 90_000]));
            self.pool.look().faults = self.dice.pick(&[0, 0, 15, 50]);
            self.turn().await?;
            if let Some(broken) = self.pool.look().broken.take() {
                return Err(broken);
            }
        }
        Ok(())
    }

    async fn turn(&mut self) -> Told {
        let runner = if self.runners.is_empty() { None } else { Some(self.dice.below(self.runners.len())) };
        match (self.dice.below(10), runner) {
            (0..2, _) => self.come().await,
            (2, _) => self.take_over().await,
            (3, Some(at)) => {
                let gone = self.runners.swap_remove(at);
                self.trace.push(format!("process {} is killed", gone.pid));
                Ok(())
            }
            (4, Some(at)) => self.end(at).await,
            (_, Some(at)) => self.act(at).await,
            _ => Ok(()),
        }
    }

    fn claim(&self, seat: usize, run: usize, pid: u32) -> Claim {
        let (name, scopes) = RUNS[run];
        Claim {
            run: RunId::from(name),
            holder: Actor { pid, ..actor("ada") },
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            epoch: self.journals.get(&(seat, run)).copied().unwrap_or(0),
        }
    }

    /// A runner comes, beside any that is there: the lock of its folder may have failed. Where the journal tells
    /// of a lease it takes that up, otherwise it asks for one.
    async fn come(&mut self) -> Told {
        let (seat, run) = (self.dice.below(SEATS), self.dice.below(RUNS.len()));
        let known = self.journals.contains_key(&(seat, run));
        let elsewhere = self.journals.keys().any(|(other, known)| *known == run && *other != seat);
        // A run is made at one seat, and only a takeover brings it to another.
        if self.over.contains(&(seat, run)) || (!known && elsewhere) {
            return Ok(());
        }
        self.pids += 1;
        let pid = self.pids;
        let claim = self.claim(seat, run, pid);
        let over = self.over.clone();
        let is_over = |id: &RunId| {
            RUNS.iter().position(|(name, _)| *name == id.as_str()).is_some_and(|at| over.contains(&(seat, at)))
        };
        let taken = if claim.epoch > 0 && self.dice.percent(70) {
            self.seats[seat].take_up(&claim).await
        } else {
            self.seats[seat].acquire(&claim, is_over).await
        };
        self.trace.push(format!("process {pid} of {} comes at seat {seat}: {}", RUNS[run].0, said(&taken)));
        if let Ok(held) = taken {
            self.journals.insert((seat, run), held.epoch());
            self.holds(&held, seat, run, pid)?;
            self.runners.push(Runner { seat, run, pid, held: Some(held) });
        }
        Ok(())
    }

    async fn take_over(&mut self) -> Told {
        let (seat, run) = (self.dice.below(SEATS), self.dice.below(RUNS.len()));
        if self.over.iter().any(|(_, over)| *over == run) {
            return Ok(());
        }
        self.pids += 1;
        let pid = self.pids;
        // Its mirror tells the highest epoch that anyone wrote down.
        let known = self.journals.iter().filter(|((_, known), _)| *known == run).map(|(_, epoch)| *epoch).max();
        let claim = Claim { epoch: known.unwrap_or(0), ..self.claim(seat, run, pid) };
        let alive = self.dice.percent(30);
        let before = self.pool.look().leases();
        let now = self.wall.at();
        let taken = self.seats[seat].take_over(&claim, "the holder is gone", alive).await;
        self.trace.push(format!("process {pid} takes {} over at seat {seat}: {}", RUNS[run].0, said(&taken)));
        let Ok(held) = taken else { return Ok(()) };
        let early = |lease: &Lease| !alive && !lease.is_expired(now) && lease.seat != format!("seat{seat}");
        if let Some(lease) = held.scopes().iter().filter_map(|scope| before.get(scope)).find(|lease| early(lease)) {
            return Err(format!("{lease:?} was taken over before it expired, by someone who was not told to"));
        }
        self.journals.insert((seat, run), held.epoch());
        self.holds(&held, seat, run, pid)?;
        self.runners.push(Runner { seat, run, pid, held: Some(held) });
        Ok(())
    }

    /// A runner proves its lease and acts under it.
    async fn act(&mut self, at: usize) -> Told {
        let Some(mut held) = self.runners[at].held.take() else { return Ok(()) };
        let (seat, run, pid) = (self.runners[at].seat, self.runners[at].run, self.runners[at].pid);
        let proved = held.renew().await;
        self.trace.push(format!("process {pid} acts under epoch {}: {}", held.epoch(), said(&proved)));
        match proved {
            Ok(()) => {
                self.holds(&held, seat, run, pid)?;
                self.runners[at].held = Some(held);
            }
            // Fenced off: its runner leaves.
            Err(error) if error.is_lost() => {
                self.runners.swap_remove(at);
            }
            Err(_) => self.runners[at].held = Some(held),
        }
        Ok(())
    }

    /// The run is over and gives its scopes back, or does not come to it.
    async fn end(&mut self, at: usize) -> Told {
        let Some(mut held) = self.runners[at].held.take() else { return Ok(()) };
        let runner = self.runners.swap_remove(at);
        if held.renew().await.is_err() {
            return Ok(());
        }
        self.holds(&held, runner.seat, runner.run, runner.pid)?;
        self.over.insert((runner.seat, runner.run));
        let given = if self.dice.percent(70) { said(&held.release().await) } else { "keeps it".to_owned() };
        self.trace.push(format!("process {} is done: {given}", runner.pid));
        Ok(())
    }

    /// Whoever was told that it holds scopes is the one that the place names, and nobody who was replaced.
    fn holds(&mut self, held: &Held, seat: usize, run: usize, pid: u32) -> Told {
        let there = self.pool.look().leases();
        for scope in held.scopes() {
            let lease = there.get(&scope).ok_or("a lease is held that is not there")?;
            let named = (lease.run.as_str(), lease.seat.clone(), lease.holder.pid, lease.is_held());
            if named != (RUNS[run].0, format!("seat{seat}"), pid, true) {
                return Err(format!("process {pid} acts on {scope}, and the place names {lease:?}"));
            }
            let order = self.proved.entry((scope.clone(), lease.epoch)).or_default();
            if order.last() != Some(&pid) {
                if order.contains(&pid) {
                    return Err(format!("{pid} acts on {scope} under epoch {} again, after {order:?}", lease.epoch));
                }
                order.push(pid);
            }
        }
        Ok(())
    }
}

fn said<T>(told: &Result<T, LeaseError>) -> String {
    told.as_ref().map_or_else(ToString::to_string, |_| "yes".to_owned())
}
