//! One run and three machines that can drive it: consoles that take it over from each other, processes that are
//! stopped, killed and revived, a shared place that is slow, loses answers, or is out of reach for some of them.

use crate::dice::Dice;
use crate::disk::{Kept, Platter, Shared};
use crate::endings::Ending;
use crate::operator;
use crate::plans::{Prepared, actor};
use crate::seat::{Common, Grip, Runner, Stage, Us, Who, observe, to_mirror};
use crate::shared::Pool;
use crate::wire::{Gate, Watch, Wire};
use crate::world::World;
use relight::event::{Event, EventKind};
use relight::journal::lease::{Claim, Held, Leases};
use relight::journal::{ChainedJournal, Head, Journal as _, mirror};
use relight::model::actor::Actor;
use relight::model::id::RunId;
use relight::model::lease::Lease;
use relight::model::time::Clock as _;
use relight::runbook::engine::replay;
use relight::runbook::{Engine, Input, Intent, RunState};
use relight::runner::bond::{Bond, Granted, Heard};
use relight::runner::flight::{self, Alarm};
use relight::runner::inherit::{Inherited, inherit};
use relight::runner::ledger::Ledger;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

const TERM: Duration = Duration::from_mins(1);
/// How far a clock is off at most, in milliseconds: two may differ by less than a sixth of the term.
const OFF: i64 = 4_900;
const PEOPLE: [&str; 3] = ["ada", "grace", "eve"];

pub type Told = Result<(), String>;

/// A copy of the run on one machine.
struct Copy {
    disk: Shared,
    /// Entries whose meaning for the world is known.
    observed: u64,
}

struct Takeover {
    doing: tokio::task::JoinHandle<Result<(Held, Inherited), String>>,
    alive: bool,
    pid: u32,
}

struct Seat {
    name: String,
    clock: Arc<Watch>,
    cut: Arc<AtomicBool>,
    copy: Option<Copy>,
    /// Holds the lock of its copy, as long as it lives; there is no second one.
    runner: Option<Runner>,
    takes: Option<Takeover>,
}

pub struct Sim {
    dice: Dice,
    us: Us,
    slow: Arc<AtomicU64>,
    seats: Vec<Seat>,
    /// The system gives numbers of dead processes to new ones.
    pids: u32,
    calm: bool,
    /// People mean well, and the holder is the one whom things happen to: every play comes to the moments at which one
    /// machine takes over from another.
    chase: bool,
    /// Journals of copies that a takeover has replaced.
    aside: Vec<Shared>,
    /// The copy in which the run came to its end.
    over: Option<(usize, RunState)>,
}

impl Sim {
    pub fn new(prepared: &Prepared, seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed ^ 0x5ea7_5000);
        let pool = Arc::new(Pool::new(Dice::new(dice.throw())));
        let world = World { places: crate::sim::places(&prepared.plan), orphans: vec![], calm: false };
        let common = Common {
            world,
            dice: Dice::new(dice.throw()),
            pool,
            broken: None,
            excused: false,
            replaced: vec![],
            trace: traced.then(Vec::new),
            clock: Arc::new(Watch::start()),
        };
        let mut off = || i64::try_from(dice.below(2 * OFF as usize)).unwrap() - OFF;
        let mut seat = |number: usize| Seat {
            name: format!("seat{number}"),
            clock: Arc::new(common.clock.elsewhere(off())),
            cut: Arc::default(),
            copy: None,
            runner: None,
            takes: None,
        };
        let mut seats: Vec<Seat> = (0..PEOPLE.len()).map(&mut seat).collect();
        let disk = Shared(Arc::new(Mutex::new(Platter::new(Dice::new(dice.throw())))));
        let mut journal = ChainedJournal::begin(disk.clone(), Path::new("seat0")).unwrap();
        journal.append(&prepared.first).unwrap();
        seats[0].copy = Some(Copy { disk, observed: 1 });
        let us = Rc::new(RefCell::new(common));
        let chase = dice.percent(50);
        Self { dice, us, slow: Arc::default(), seats, pids: 0, calm: false, chase, aside: vec![], over: None }
    }

    pub fn trace(&self) -> Vec<String> {
        self.us.borrow_mut().trace.take().unwrap_or_default()
    }

    /// The journals of all copies, as their disks hold them.
    pub fn journals(&self) -> Vec<Vec<Event>> {
        let read = |copy: &Copy| {
            let platter = copy.disk.look();
            let head = Head::decode(&platter.head);
            let idle = Shared(Arc::new(Mutex::new(Platter::new(Dice::new(0)))));
            ChainedJournal::take_up(Path::new("copy"), &platter.bytes, head.as_ref(), || Ok(idle)).unwrap().events
        };
        self.seats.iter().filter_map(|seat| seat.copy.as_ref()).map(read).collect()
    }

    fn note(&self, line: impl FnOnce() -> String) {
        self.us.borrow_mut().note(line);
    }

    fn holds(&self) -> Told {
        self.us.borrow_mut().broken.take().map_or(Ok(()), Err)
    }

    fn is_over(&self) -> bool {
        self.over.is_some() || self.us.borrow().excused
    }

    pub async fn play(&mut self, turns: usize) -> Told {
        for _ in 0..turns {
            if self.is_over() {
                break;
            }
            let pause = self.dice.pick(&[0, 1, 20, 300, 2_000, 2_000, 12_000, 40_000]);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            self.turn().await?;
            self.holds()?;
        }
        self.be_calm();
        for _ in 0..700 {
            if self.is_over() {
                return self.check_end().await;
            }
            let us = self.us.borrow().clock.mono();
            // Nothing else happens until the alarm of a task that hangs rings.
            let works = self.seats.iter().filter_map(|seat| seat.runner.as_ref()).flat_map(|r| &r.grip.works);
            let alarms = works.filter_map(|work| {
                matches!(&*work.stage.borrow(), Stage::Under(flight) if !flight.speaks())
                    .then(|| work.limits.next_alarm())?
            });
            let pause = alarms.min().map_or(Duration::ZERO, |alarm| alarm.saturating_sub(us));
            tokio::time::sleep(pause.max(Duration::from_secs(1))).await;
            self.go_on().await?;
            self.holds()?;
        }
        let told = |state: &RunState| {
            let steps: Vec<String> = state.steps.iter().map(|step| format!("{} {}", step.id, step.state)).collect();
            format!("{} ({})", state.status.word(), steps.join(", "))
        };
        let states: Vec<_> =
            self.seats.iter().map(|seat| seat.runner.as_ref().map(|runner| told(runner.ledger.state()))).collect();
        Err(format!("the run does not come to its end with willing people and no faults: {states:?}"))
    }

    fn be_calm(&mut self) {
        self.note(|| "from here on all is well".to_owned());
        self.calm = true;
        self.slow.store(0, Ordering::Relaxed);
        {
            let mut us = self.us.borrow_mut();
            us.pool.look().faults = 0;
            us.world.calm = true;
        }
        for seat in &mut self.seats {
            seat.cut.store(false, Ordering::Relaxed);
            if let Some(runner) = &seat.runner {
                runner.gate.send_replace(Gate::Open);
                runner.grip.disk.look().power_for = None;
            }
        }
    }

    /// The holder is cut off, or stands still, until another machine has taken the run over; then both go on.
    async fn overtake(&mut self) -> Told {
        let holds = |seat: &Seat| seat.runner.as_ref().is_some_and(|runner| runner.grip.who.epoch > 0);
        let Some(at) = self.seats.iter().position(holds) else { return Ok(()) };
        let other = (at + 1 + self.dice.below(self.seats.len() - 1)) % self.seats.len();
        let (cut, stopped) = self.dice.pick(&[(true, false), (true, false), (false, true), (true, true)]);
        self.note(|| format!("seat{at} is cut off: {cut}, stands still: {stopped}; seat{other} comes"));
        self.seats[at].cut.store(cut, Ordering::Relaxed);
        if stopped {
            self.stop_or_revive(at);
        }
        // At the end of its term, and not only long after it.
        let pause = self.dice.pick(&[30_000, 46_000, 50_500, 55_000, 61_000, 66_000, 90_000]);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        for _ in 0..self.dice.below(8) {
            if self.seats[other].runner.is_none() {
                self.take_over(other).await;
            }
            tokio::time::sleep(Duration::from_millis(self.dice.pick(&[300, 2_000, 4_000]))).await;
            self.adopt(other).await?;
            if !stopped {
                self.live(at).await?;
            }
            if self.seats[other].copy.is_some() {
                self.live(other).await?;
            }
            if self.is_over() {
                return Ok(());
            }
        }
        let still = self.seats[at].runner.as_ref().is_some_and(|runner| *runner.gate.borrow() == Gate::Stopped);
        if still {
            self.stop_or_revive(at);
        }
        for _ in 0..6 {
            self.live(at).await?;
            if self.is_over() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(self.dice.pick(&[0, 20, 300]))).await;
        }
        self.seats[at].cut.store(false, Ordering::Relaxed);
        Ok(())
    }

    async fn turn(&mut self) -> Told {
        if self.chase {
            if self.dice.percent(12) {
                return self.overtake().await;
            }
            let driven: Vec<usize> = (0..self.seats.len()).filter(|at| self.seats[*at].runner.is_some()).collect();
            let at = if driven.is_empty() { self.dice.below(self.seats.len()) } else { self.dice.pick(&driven) };
            return self.live(at).await;
        }
        let at = self.dice.below(self.seats.len());
        let stopped = self.seats[at].runner.as_ref().is_some_and(|runner| *runner.gate.borrow() == Gate::Stopped);
        match self.dice.below(100) {
            0..3 => {
                let (faults, slow) = (self.dice.pick(&[0, 0, 10, 40]), self.dice.pick(&[0, 0, 10, 30]));
                self.us.borrow().pool.look().faults = faults;
                self.slow.store(slow, Ordering::Relaxed);
            }
            3..6 => {
                let cut = self.seats[at].cut.fetch_xor(true, Ordering::Relaxed);
                self.note(|| format!("seat{at} is cut off: {}", !cut));
            }
            6..9 => {
                let power = self.dice.percent(50);
                self.killed(at, power);
            }
            9..13 => self.stop_or_revive(at),
            13..17 => self.take_over(at).await,
            17..20 => {
                let mut dice = Dice::new(self.dice.throw());
                self.us.borrow_mut().world.stir(&mut dice);
            }
            20..22 if !stopped => {
                let after = self.dice.below(12);
                if let Some(copy) = &self.seats[at].copy {
                    copy.disk.look().power_for = Some(after);
                }
            }
            _ if stopped => self.lands(at),
            _ => return self.live(at).await,
        }
        self.adopt(at).await
    }

    /// A task of a process that stands still goes on without it.
    fn lands(&mut self, at: usize) {
        let land = self.dice.percent(30);
        let mut us = self.us.borrow_mut();
        for work in self.seats[at].runner.iter().flat_map(|runner| &runner.grip.works).filter(|_| land) {
            if let Stage::Under(flight) = &mut *work.stage.borrow_mut() {
                us.world.land(flight);
            }
        }
    }

    fn stop_or_revive(&mut self, at: usize) {
        let Some(runner) = &self.seats[at].runner else { return };
        let gate = if *runner.gate.borrow() == Gate::Open { Gate::Stopped } else { Gate::Open };
        runner.gate.send_replace(gate);
        let pid = runner.grip.who.pid;
        self.note(|| format!("process {pid} of seat{at} is {gate:?}"));
    }

    fn killed(&mut self, at: usize, power: bool) {
        let Some(mut runner) = self.seats[at].runner.take() else { return };
        self.note(|| format!("process {} of seat{at} is killed, with its machine: {power}", runner.grip.who.pid));
        runner.gate.send_replace(Gate::Dead);
        for work in &mut runner.grip.works {
            work.set_adrift(&mut self.us.borrow_mut().world);
        }
        let mut platter = runner.grip.disk.look();
        if power {
            platter.lose_power();
        }
        platter.power_for = None;
        drop(platter);
        if let Some(copy) = &mut self.seats[at].copy {
            copy.observed = copy.observed.max(runner.ledger.events().len() as u64);
        }
    }

    fn leases(&mut self, at: usize, gate: watch::Receiver<Gate>) -> Leases {
        let us = self.us.borrow();
        let seat = &self.seats[at];
        let dice = Dice::new(self.dice.throw());
        let wire = Wire::new(Arc::clone(&us.pool), gate, (Arc::clone(&seat.cut), Arc::clone(&self.slow)), dice);
        Leases::shared(Arc::new(wire), seat.clock.clone(), seat.name.clone(), TERM)
    }

    fn new_pid(&mut self) -> u32 {
        let taken: Vec<u32> = self.seats.iter().filter_map(|seat| Some(seat.runner.as_ref()?.grip.who.pid)).collect();
        let taking: Vec<u32> = self.seats.iter().filter_map(|seat| Some(seat.takes.as_ref()?.pid)).collect();
        loop {
            self.pids = self.pids % 7 + 1;
            if !taken.contains(&self.pids) && !taking.contains(&self.pids) {
                self.us.borrow_mut().replaced.retain(|pid| *pid != self.pids);
                return self.pids;
            }
        }
    }

    /// Somebody takes the run over from wherever it is.
    async fn take_over(&mut self, at: usize) {
        let seat = &self.seats[at];
        if seat.runner.is_some() || seat.takes.is_some() {
            return;
        }
        let leases = self.us.borrow().pool.look().leases();
        let own = leases.values().next().is_none_or(|lease| lease.seat == seat.name) && seat.copy.is_some();
        let whole = || self.read(at).is_ok_and(|events| replay(&events).is_ok_and(|s| s.fenced_off().is_none()));
        if own && whole() {
            return;
        }
        let pid = self.new_pid();
        let wild = !self.calm && !self.chase;
        let alive = wild && self.dice.percent(20);
        let (open, gate) = watch::channel(Gate::Open);
        let leases = self.leases(at, gate);
        let by = Actor { pid, ..actor(PEOPLE[at]) };
        let clock = Arc::clone(&self.seats[at].clock);
        self.note(|| format!("{} takes the run over at seat{at}, alive: {alive}", by.name));
        let doing = tokio::task::spawn_local(async move {
            let taken = taken_over(&leases, &by, alive, &clock).await;
            drop(open);
            taken
        });
        self.seats[at].takes = Some(Takeover { doing, alive, pid });
        // Some give up, or their console dies.
        if wild && self.dice.percent(10) {
            tokio::time::sleep(Duration::from_secs(2)).await;
            if let Some(takes) = self.seats[at].takes.take() {
                takes.doing.abort();
            }
        }
    }

    /// A takeover that is through becomes a copy of the run.
    async fn adopt(&mut self, at: usize) -> Told {
        // Whoever was replaced goes on in the world without being heard of.
        self.cut_loose();
        if !self.seats[at].takes.as_ref().is_some_and(|takes| takes.doing.is_finished()) {
            return Ok(());
        }
        let Some(takes) = self.seats[at].takes.take() else { return Ok(()) };
        let taken = takes.doing.await.map_err(|error| error.to_string())?;
        let Inherited { copied, first } = match taken {
            Ok((_, inherited)) => inherited,
            Err(why) => {
                self.note(|| format!("seat{at} does not get it: {why}"));
                return Ok(());
            }
        };
        self.check_mirror(&copied.lines.concat())?;
        let mut platter = Platter::new(Dice::new(self.dice.throw()));
        platter.bytes = copied.lines.concat();
        platter.head = Head::encode(copied.lines.len() as u64, &copied.hash);
        let (bytes, head) = (platter.bytes.clone(), Head::decode(&platter.head));
        let disk = Shared(Arc::new(Mutex::new(platter)));
        let opened = ChainedJournal::take_up(Path::new("taken"), &bytes, head.as_ref(), || Ok(disk.clone()));
        let mut journal = opened.map_err(|error| error.to_string())?.journal;
        for event in &first {
            journal.append(event).map_err(|error| error.to_string())?;
        }
        self.note(|| {
            format!("seat{at} has it, {} entries and {:?}", copied.lines.len(), first.first().map(|e| &e.kind))
        });
        self.aside.extend(self.seats[at].copy.take().map(|copy| copy.disk));
        self.seats[at].copy = Some(Copy { disk, observed: (copied.lines.len() + first.len()) as u64 });
        Ok(())
    }

    /// Tasks of processes that others have replaced, as the place tells.
    fn cut_loose(&mut self) {
        let leases = self.us.borrow().pool.look().leases();
        let Some(lease) = leases.values().max_by_key(|lease| lease.epoch) else { return };
        let alive = self.seats.iter().any(|seat| seat.takes.as_ref().is_some_and(|takes| takes.alive));
        for seat in &mut self.seats {
            let Some(runner) = &mut seat.runner else { continue };
            if runner.grip.who.epoch == 0 || runner.grip.who.epoch >= lease.epoch {
                continue;
            }
            let mut us = self.us.borrow_mut();
            if alive && !us.replaced.contains(&runner.grip.who.pid) {
                us.replaced.push(runner.grip.who.pid);
            }
            for work in &mut runner.grip.works {
                work.set_adrift(&mut us.world);
            }
        }
    }

    fn read(&self, at: usize) -> Result<Vec<Event>, String> {
        let copy = self.seats[at].copy.as_ref().ok_or("there is no copy")?;
        let platter = copy.disk.look();
        let head = Head::decode(&platter.head);
        let idle = Shared(Arc::new(Mutex::new(Platter::new(Dice::new(0)))));
        let opened = ChainedJournal::take_up(Path::new("copy"), &platter.bytes, head.as_ref(), || Ok(idle));
        Ok(opened.map_err(|error| error.to_string())?.events)
    }

    /// A runner is started for the copy; the lock of its folder lets in one.
    async fn come(&mut self, at: usize) -> Told {
        let Some(copy) = &mut self.seats[at].copy else { return Ok(()) };
        let disk = copy.disk.clone();
        disk.look().opened();
        let (bytes, head) = {
            let platter = disk.look();
            (platter.bytes.clone(), Head::decode(&platter.head))
        };
        let Ok(opened) = ChainedJournal::take_up(Path::new("seat"), &bytes, head.as_ref(), || Ok(disk.clone())) else {
            // The power went while it was being opened: the next one tries again.
            return if disk.look().unsure { Ok(()) } else { Err("a journal cannot be taken up".to_owned()) };
        };
        let events = opened.events;
        let state = replay(&events).map_err(|error| error.to_string())?;
        for event in events.iter().filter(|event| event.seq > copy.observed) {
            observe(&self.us, &state.plan, event);
        }
        copy.observed = events.len() as u64;
        if state.fenced_off().is_some() {
            return Ok(());
        }
        let pid = self.new_pid();
        self.note(|| format!("process {pid} comes to seat{at}"));
        let (gate, stands) = watch::channel(Gate::Open);
        let leases = self.leases(at, stands.clone());
        let bond = Bond::new(leases, Arc::clone(&state.plan));
        let who = Who { seat: format!("seat{at}"), pid, epoch: state.epoch() };
        let grip = Grip::new(Rc::clone(&self.us), who, bond, stands, (disk, Arc::clone(&state.plan)));
        let born = self.us.borrow().clock.mono();
        let (shadow, leased) = (state.clone(), state.lease.is_some());
        let ledger =
            Ledger::new(Engine::new(state, actor("relight")), Kept(Arc::new(Mutex::new(opened.journal))), events);
        let clock = Arc::clone(&self.seats[at].clock);
        let mut runner = Runner { ledger, grip, gate, clock, born, operator: PEOPLE[at], shadow };
        let mut heard = vec![];
        if leased {
            let (claim, (mirror, seq)) = (runner.claim(), runner.to_mirror());
            heard = runner.grip.bond.take_up(claim, mirror, seq).await;
        }
        self.seats[at].runner = Some(runner);
        if self.seats[at].runner.as_ref().is_some_and(|runner| runner.ledger.state().status.is_over()) {
            return self.finish(at).await;
        }
        for heard in heard {
            if !self.hear(at, heard)? {
                return Ok(());
            }
        }
        self.tell(at, Input::Recovered { pid, version: "t".to_owned() }).map(|_| ())
    }

    /// False: the runner is gone.
    fn hear(&mut self, at: usize, heard: Heard) -> Result<bool, String> {
        let Heard { input, leave } = heard;
        if leave.is_some()
            && let Some(runner) = &mut self.seats[at].runner
        {
            runner.ledger.close();
        }
        self.tell(at, input)?;
        match leave {
            Some(why) => self.leave(at, why).map(|()| false),
            None => Ok(self.seats[at].runner.is_some()),
        }
    }

    fn leave(&mut self, at: usize, why: String) -> Told {
        let Some(runner) = &mut self.seats[at].runner else { return Ok(()) };
        runner.ledger.close();
        for mut work in std::mem::take(&mut runner.grip.works) {
            let end = flight::cut_off(work.purpose);
            work.set_adrift(&mut self.us.borrow_mut().world);
            let (step, attempt, purpose) = (work.step, work.attempt, work.purpose);
            self.tell(at, Input::TaskEnded { step, attempt, purpose, end })?;
        }
        self.tell(at, Input::Stopping { why })?;
        self.killed(at, false);
        Ok(())
    }

    fn tell(&mut self, at: usize, input: Input) -> Result<Option<String>, String> {
        let Some(runner) = &mut self.seats[at].runner else { return Ok(None) };
        let now = runner.now();
        self.us.borrow_mut().note(|| format!("{} <- {input:?}", runner.grip.who.pid));
        let told = runner.ledger.tell(input, now, &mut runner.grip);
        for event in &runner.ledger.events()[runner.shadow.seq as usize..] {
            runner.shadow.apply(event);
        }
        if &runner.shadow != runner.ledger.state() {
            return Err("what the entries lead to is not the live state".to_owned());
        }
        let dead = runner.grip.disk.look().dead;
        self.holds()?;
        match told {
            Ok(refused) if !dead => {
                if let Some(why) = &refused {
                    self.note(|| format!("   refused: {why}"));
                }
                Ok(refused)
            }
            _ => {
                let power = self.dice.percent(50);
                self.killed(at, power);
                Ok(None)
            }
        }
    }

    /// One turn of a runner's loop.
    async fn live(&mut self, at: usize) -> Told {
        self.adopt(at).await?;
        let Some(runner) = &mut self.seats[at].runner else {
            return if self.calm || self.dice.percent(40) { self.come(at).await } else { Ok(()) };
        };
        if *runner.gate.borrow() == Gate::Stopped {
            return Ok(());
        }
        while let Some(news) = self.seats[at].runner.as_mut().and_then(|runner| runner.grip.bond.news.try_recv().ok()) {
            let Some(runner) = &mut self.seats[at].runner else { return Ok(()) };
            let heard = runner.grip.bond.heard(news);
            if !self.hear(at, heard)? {
                return Ok(());
            }
        }
        if !self.granted(at)? {
            return Ok(());
        }
        if self.seats[at].runner.as_ref().is_some_and(|runner| runner.grip.finished) {
            return self.finish(at).await;
        }
        self.work_or_wish(at)?;
        if self.seats[at].runner.as_ref().is_some_and(|runner| runner.grip.finished) {
            return self.finish(at).await;
        }
        Ok(())
    }

    fn granted(&mut self, at: usize) -> Result<bool, String> {
        let Some(runner) = &mut self.seats[at].runner else { return Ok(false) };
        let Ok(asked) = runner.grip.bond.granted.try_recv() else { return Ok(true) };
        let (claim, (mirror, seq)) = (runner.claim(), runner.to_mirror());
        match runner.grip.bond.grant(asked, claim, mirror, seq) {
            Granted::No(None) => Ok(true),
            Granted::No(Some(heard)) => self.hear(at, heard),
            Granted::Yes { first, wish, .. } => {
                for input in first {
                    self.tell(at, input)?;
                }
                self.tell(at, wish)?;
                Ok(self.seats[at].runner.is_some())
            }
        }
    }

    fn work_or_wish(&mut self, at: usize) -> Told {
        let Some(runner) = &mut self.seats[at].runner else { return Ok(()) };
        if !runner.grip.works.is_empty() {
            let which = if runner.grip.works.len() > 1 { self.dice.below(runner.grip.works.len()) } else { 0 };
            let mut work = runner.grip.works.remove(which);
            let mut dice = Dice::new(self.dice.throw());
            let mut us = self.us.borrow_mut();
            let mono = us.clock.mono();
            let mut end = work.ends(&mut us.world, &mut dice, self.calm);
            let alarm = if end.is_none() { work.limits.ring(mono) } else { None };
            if alarm == Some(Alarm::CutOff) {
                work.set_adrift(&mut us.world);
                end = Some(flight::cut_off(work.purpose));
            }
            drop(us);
            let (step, attempt, purpose) = (work.step.clone(), work.attempt, work.purpose);
            if let Some(end) = end {
                return self.tell(at, Input::TaskEnded { step, attempt, purpose, end }).map(|_| ());
            }
            runner.grip.works.push(work);
            if alarm.is_some() {
                return self.tell(at, Input::Deadline { step, attempt, purpose }).map(|_| ());
            }
            if self.calm || self.dice.percent(70) {
                return Ok(());
            }
        }
        let Some(runner) = &self.seats[at].runner else { return Ok(()) };
        let (state, now) = (runner.ledger.state(), runner.now().at);
        let well = self.calm || self.chase && self.dice.percent(90);
        let intent = if well {
            operator::willing(state, now + chrono::Duration::hours(10))
        } else {
            Some(operator::random(&mut self.dice, state, now))
        };
        let name = if well || self.dice.percent(60) { state.operator.name.clone() } else { runner.operator.to_owned() };
        match intent {
            None => self.tell(at, Input::Continue).map(|_| ()),
            Some(intent) => self.wish(at, &name, intent),
        }
    }

    fn wish(&mut self, at: usize, name: &str, intent: Intent) -> Told {
        let Some(runner) = &mut self.seats[at].runner else { return Ok(()) };
        if Bond::is_needed_first(runner.ledger.state(), &intent) {
            let claim = runner.claim();
            let (answer, _nobody) = oneshot::channel();
            runner.grip.bond.ask(claim, |_| false, (actor(name), intent, answer));
            return Ok(());
        }
        self.tell(at, Input::Intent { actor: actor(name), intent }).map(|_| ())
    }

    /// The run is over here: where nobody else has it, it is over.
    async fn finish(&mut self, at: usize) -> Told {
        let Some(runner) = &mut self.seats[at].runner else { return Ok(()) };
        let state = runner.ledger.state().clone();
        let needs = state.plan.needs_lease() && state.lease.is_some();
        let leases = self.us.borrow().pool.look().leases();
        let ours =
            !needs || leases.values().all(|lease| lease.seat == self.seats[at].name && lease.epoch <= state.epoch());
        let Some(runner) = &mut self.seats[at].runner else { return Ok(()) };
        let left = runner.grip.bond.give_back().await;
        self.note(|| format!("the run is over at seat{at}: {} {left:?}", state.status.word()));
        self.killed(at, false);
        if ours {
            self.over = Some((at, state));
        } else {
            // What others did since is told by their copy.
            self.aside.extend(self.seats[at].copy.take().map(|copy| copy.disk));
        }
        Ok(())
    }

    /// Towards the end: whoever the place names goes on; where nobody can, someone takes it over.
    async fn go_on(&mut self) -> Told {
        for at in 0..self.seats.len() {
            self.adopt(at).await?;
        }
        let leases = self.us.borrow().pool.look().leases();
        let named = leases.values().max_by_key(|lease| lease.epoch).map_or("seat0", |lease| lease.seat.as_str());
        let at = self.seats.iter().position(|seat| seat.name == named).unwrap();
        for other in (0..self.seats.len()).filter(|other| *other != at) {
            if self.seats[other].runner.is_some() {
                self.live(other).await?;
            }
        }
        if self.seats[at].runner.is_none() {
            let usable = self.read(at).is_ok_and(|events| replay(&events).is_ok_and(|s| s.fenced_off().is_none()));
            if !usable {
                self.take_over(at).await;
                return Ok(());
            }
        }
        self.live(at).await
    }

    /// What the mirror tells is the beginning of a journal that someone kept.
    fn check_mirror(&self, told: &[u8]) -> Told {
        let here = self.seats.iter().filter_map(|seat| Some(&seat.copy.as_ref()?.disk));
        if here.chain(&self.aside).any(|disk| disk.look().bytes.starts_with(told)) {
            return Ok(());
        }
        Err("the mirror tells of entries that no journal has".to_owned())
    }

    async fn check_end(&mut self) -> Told {
        let Some((at, state)) = self.over.clone() else { return Ok(()) };
        let taken = |event: &Event| matches!(&event.kind, EventKind::LeaseAcquired { taken_from: Some(_), .. });
        let taken_over = self.read(at)?.iter().any(taken);
        Ending { world: &self.us.borrow().world, taken_over }.check(&state)?;
        if state.lease.is_none() {
            return Ok(());
        }
        // What the end of the run could not give back or mirror is made up for by whoever takes it up again.
        tokio::time::sleep(Duration::from_mins(2)).await;
        let (_open, gate) = watch::channel(Gate::Open);
        let leases = self.leases(at, gate);
        let holder = Actor { pid: 99, ..actor(PEOPLE[at]) };
        let scopes = state.plan.lock_scope.clone();
        let claim = Claim { run: state.id.clone(), holder, scopes, epoch: state.epoch() };
        let Some(copy) = &self.seats[at].copy else { return Err("the copy is gone".to_owned()) };
        Bond::new(leases, Arc::clone(&state.plan)).tidy_up(claim, to_mirror(&copy.disk), state.seq).await;
        let pool = Arc::clone(&self.us.borrow().pool);
        if pool.look().leases().values().any(Lease::is_held) {
            return Err("the run is over and its lease is held".to_owned());
        }
        let copied = mirror::copy(&*pool, &state.id).await.map_err(|error| error.to_string())?;
        let lines = copied.lines.concat();
        if copy.disk.look().bytes == lines {
            Ok(())
        } else {
            Err(format!("the mirror ends at {} and is not the journal", copied.lines.len()))
        }
    }
}

/// As the console does it, up to the folder that the copy goes into.
async fn taken_over(leases: &Leases, by: &Actor, alive: bool, clock: &Watch) -> Result<(Held, Inherited), String> {
    const WHY: &str = "it is gone";
    let run = RunId::from("r1");
    let copied = mirror::copy(&**leases.place(), &run).await.map_err(|error| error.to_string())?;
    let state = replay(&copied.events).map_err(|error| error.to_string())?;
    if state.status.is_over() {
        return Err("it is over".to_owned());
    }
    let scopes = state.plan.lock_scope.clone();
    let claim = Claim { run: run.clone(), holder: by.clone(), scopes, epoch: state.epoch() };
    let held = leases.take_over(&claim, WHY, alive).await.map_err(|error| error.to_string())?;
    let inherited = inherit(leases, &run, &held, (by, WHY), clock.now()).await;
    Ok((held, inherited.map_err(|error| error.to_string())?))
}
