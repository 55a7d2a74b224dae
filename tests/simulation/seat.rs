//! A process that drives the run from one machine: the console's own ledger, bond, keeper and mirror, and what it
//! must hold to while others may stand in its place.

use crate::dice::Dice;
use crate::disk::{Kept, Shared};
use crate::shared::Pool;
use crate::wire::{Gate, Watch, pass};
use crate::world::{Amount, Flight, World};
use bytes::Bytes;
use relight::event::{Event, EventKind, Purpose};
use relight::journal::lease::Claim;
use relight::journal::mirror::{Mirror, MirrorError, Tape};
use relight::model::actor::Actor;
use relight::model::id::{RunId, StepId};
use relight::model::task::{CancelReason, Failure, Reality, TaskOutcome};
use relight::model::time::Clock as _;
use relight::runbook::engine::Now;
use relight::runbook::plan::PlannedAction;
use relight::runbook::state::End;
use relight::runbook::{Order, Plan, RunState};
use relight::runner::bond::Bond;
use relight::runner::flight::{self, Limits};
use relight::runner::ledger::{Heed, Ledger};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What all machines share, and what went wrong in it.
pub struct Common {
    pub world: World,
    pub dice: Dice,
    pub pool: Arc<Pool>,
    pub broken: Option<String>,
    /// A holder that was told to be dead acted before it looked: its operator answers for that.
    pub excused: bool,
    /// Processes that were replaced by someone who was told that they may act still.
    pub replaced: Vec<u32>,
    /// Told only to whoever wants to hear it.
    pub trace: Option<Vec<String>>,
    pub clock: Arc<Watch>,
}

pub type Us = Rc<RefCell<Common>>;

impl Common {
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        let at = self.clock.mono();
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>8.1} {}", at.as_secs_f64(), line()));
        }
    }

    pub fn wrong(&mut self, what: String) {
        self.note(|| format!("!! {what}"));
        self.broken.get_or_insert(what);
    }

    /// Whether the place names this process as the holder of all scopes, under no later epoch than this.
    fn is_holder(&self, seat: &str, pid: u32, epoch: u64) -> bool {
        let leases = self.pool.look().leases();
        !leases.is_empty()
            && leases
                .values()
                .all(|lease| lease.is_held() && lease.seat == seat && lease.holder.pid == pid && lease.epoch <= epoch)
    }

    /// A task has its effect from here on.
    fn begin(&mut self, who: &Who, place: usize, purpose: Purpose) -> Option<Flight> {
        let acts = matches!(purpose, Purpose::Run | Purpose::Undo) && self.world.places[place].changes;
        if acts && who.epoch > 0 && !self.is_holder(&who.seat, who.pid, who.epoch) {
            if self.replaced.contains(&who.pid) {
                self.excused = true;
            } else {
                self.wrong(format!("{who:?} starts {purpose:?} of {place}, and others hold the lease"));
            }
            return None;
        }
        let mut dice = Dice::new(self.dice.throw());
        match self.world.start(&mut dice, place, purpose) {
            Ok(flight) => {
                self.note(|| format!("{} -> {flight:?}", who.pid));
                Some(flight)
            }
            Err(what) => {
                self.wrong(what);
                None
            }
        }
    }
}

#[derive(Clone, Debug)]
pub struct Who {
    pub seat: String,
    pub pid: u32,
    pub epoch: u64,
}

/// How far a task is.
pub enum Stage {
    /// The lease is being proved.
    Proving,
    Refused(String),
    Under(Flight),
    /// Someone else has the world now; what became of it is not known here.
    Adrift,
}

pub struct Work {
    pub step: StepId,
    pub attempt: u32,
    pub purpose: Purpose,
    pub stage: Rc<RefCell<Stage>>,
    pub told: Option<CancelReason>,
    pub limits: Limits<Duration>,
}

impl Work {
    /// An end, where there is one already.
    pub fn ends(&mut self, world: &mut World, dice: &mut Dice, calm: bool) -> Option<End> {
        let stage = &mut *self.stage.borrow_mut();
        match stage {
            Stage::Proving => None,
            Stage::Refused(why) => Some(flight::never_started(why)),
            Stage::Adrift => Some(adrift(self.purpose)),
            Stage::Under(flight) => {
                let stops = self.told.is_some() && !flight.is_deaf();
                let ends = stops || (flight.speaks() && (calm || dice.percent(70)));
                ends.then(|| world.end(dice, flight, self.told))
            }
        }
    }

    /// Its effects come without it from here on.
    pub fn set_adrift(&mut self, world: &mut World) {
        let stage = &mut *self.stage.borrow_mut();
        if let Stage::Under(flight) = stage {
            world.orphan(flight.clone());
            *stage = Stage::Adrift;
        }
    }
}

fn adrift(purpose: Purpose) -> End {
    let failure = Failure::new("no answer");
    if flight::looks(purpose) {
        End::Look(Reality::Unknown(failure))
    } else {
        End::Task(TaskOutcome::Unknown { failure })
    }
}

/// A simulated disk read as the mirror reads the journal's file.
#[derive(Debug)]
struct Reel(Shared);

#[async_trait::async_trait]
impl Tape for Reel {
    async fn line(&self, offset: u64) -> Result<Option<Bytes>, MirrorError> {
        let platter = self.0.look();
        let rest = &platter.bytes[(offset as usize).min(platter.bytes.len())..];
        Ok(memchr::memchr(b'\n', rest).map(|end| Bytes::copy_from_slice(&rest[..=end])))
    }
}

pub fn to_mirror(disk: &Shared) -> Mirror {
    Mirror::from(Box::new(Reel(disk.clone())), &RunId::from("r1"))
}

/// Where the events go and the orders come from.
pub struct Grip {
    pub us: Us,
    pub who: Who,
    pub bond: Bond,
    pub gate: watch::Receiver<Gate>,
    pub disk: Shared,
    plan: Arc<Plan>,
    pub works: Vec<Work>,
    pub finished: bool,
    intended: Option<(u64, StepId, u32, Purpose)>,
}

impl Grip {
    pub fn new(us: Us, who: Who, bond: Bond, gate: watch::Receiver<Gate>, (disk, plan): (Shared, Arc<Plan>)) -> Self {
        Self { us, who, bond, gate, disk, plan, works: vec![], finished: false, intended: None }
    }

    fn start(&mut self, (step, attempt, purpose): (StepId, u32, Purpose), timeout: Duration) {
        let mut us = self.us.borrow_mut();
        let intended = self.intended.as_ref().is_some_and(|(seq, s, a, p)| {
            (s, *a, *p) == (&step, attempt, purpose) && self.disk.look().safe_lines() >= *seq
        });
        if !intended {
            us.wrong(format!("{purpose:?} of {step} starts without its intent on disk"));
        }
        if self.works.iter().any(|work| work.step == step) {
            us.wrong(format!("{purpose:?} of {step} starts while a task of it is in flight"));
        }
        let place = self.plan.steps.iter().position(|planned| planned.id == step).unwrap();
        let stage = Rc::new(RefCell::new(Stage::Proving));
        let limits = Limits::new(us.clock.mono(), timeout);
        drop(us);
        let guard = self.bond.guard(&step, attempt, purpose);
        let (us, who, gate, then) = (Rc::clone(&self.us), self.who.clone(), self.gate.clone(), Rc::clone(&stage));
        self.works.push(Work { step, attempt, purpose, stage, told: None, limits });
        tokio::task::spawn_local(async move {
            if let Some(mut guard) = guard {
                // Who was stopped meanwhile looks at the clock again.
                let mut stood = gate.clone();
                let proved = loop {
                    stood.borrow_and_update();
                    let proved = guard.prove().await;
                    pass(&gate).await;
                    if !stood.has_changed().unwrap_or(true) {
                        break proved;
                    }
                };
                if let Err(why) = proved {
                    *then.borrow_mut() = Stage::Refused(why);
                    return;
                }
            }
            pass(&gate).await;
            let flight = us.borrow_mut().begin(&who, place, purpose);
            *then.borrow_mut() = flight.map_or(Stage::Adrift, Stage::Under);
        });
    }
}

/// What people did by hand is in the world; who sees it in a journal for the first time says so.
pub fn observe(us: &Us, plan: &Plan, event: &Event) {
    let mut us = us.borrow_mut();
    let place = |step: &StepId| plan.steps.iter().position(|planned| &planned.id == step).unwrap();
    match &event.kind {
        EventKind::StepDone { step } if !matches!(plan.steps[place(step)].action, PlannedAction::Task(_)) => {
            let at = &mut us.world.places[place(step)];
            if at.changes {
                at.amount = Amount::Whole;
            }
        }
        EventKind::StepDoneByHand { step, .. } => us.world.done_by_hand(place(step)),
        EventKind::StepUndoneByHand { step, .. } => us.world.undone_by_hand(place(step)),
        _ => {}
    }
}

impl Heed for Grip {
    fn event(&mut self, event: &Event) {
        self.us.borrow_mut().note(|| format!("{} wrote {} {:?}", self.who.pid, event.seq, event.kind));
        observe(&self.us, &self.plan, event);
        if let EventKind::LeaseAcquired { epoch, .. } = &event.kind {
            self.who.epoch = *epoch;
        }
        self.intended = match &event.kind {
            EventKind::TaskIntended { step, attempt, purpose, .. } => {
                Some((event.seq, step.clone(), *attempt, *purpose))
            }
            _ => None,
        };
        if let Some(mirror) = &self.bond.mirror {
            mirror.written(event.seq);
        }
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::StartTask { step, attempt, purpose, timeout, .. } => self.start((step, attempt, purpose), timeout),
            Order::Replanned { plan } => self.plan = plan,
            Order::CancelTask { step, reason } => {
                let now = self.us.borrow().clock.mono();
                for work in self.works.iter_mut().filter(|work| work.step == step) {
                    work.told = work.told.max(Some(reason));
                    work.limits.told_to_stop(now);
                }
            }
            Order::Finish => self.finished = true,
        }
    }
}

pub struct Runner {
    pub ledger: Ledger<Kept>,
    pub grip: Grip,
    pub gate: watch::Sender<Gate>,
    /// The clock of its machine.
    pub clock: Arc<Watch>,
    pub born: Duration,
    pub operator: &'static str,
    /// Counted here, event by event, and by nobody else.
    pub shadow: RunState,
}

impl Runner {
    pub fn claim(&self) -> Claim {
        let state = self.ledger.state();
        let holder = Actor { name: state.operator.name.clone(), host: "here".to_owned(), pid: self.grip.who.pid };
        Claim { run: state.id.clone(), holder, scopes: state.plan.lock_scope.clone(), epoch: state.epoch() }
    }

    pub fn to_mirror(&self) -> (Mirror, u64) {
        (to_mirror(&self.grip.disk), self.ledger.state().seq)
    }

    pub fn now(&self) -> Now {
        Now { at: self.clock.now(), mono_ms: self.clock.mono().saturating_sub(self.born).as_millis() as u64 }
    }
}
