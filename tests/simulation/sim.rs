//! One run under a seeded scheduler: runners that come and go, people, a world, a disk, a clock.

use crate::dice::Dice;
use crate::disk::{Kept, Platter, Shared};
use crate::hands::{Hands, Work};
use crate::operator;
use crate::plans::{Prepared, actor, epoch};
use crate::world::{Amount, Place, World};
use relight::event::{Event, EventKind, Purpose};
use relight::journal::{ChainedJournal, Head, Journal as _, JournalError};
use relight::model::task::{CancelReason, Effect, TaskOutcome, Values};
use relight::model::time::Timestamp;
use relight::runbook::engine::{Now, replay};
use relight::runbook::plan::PlannedAction;
use relight::runbook::state::End;
use relight::runbook::{Engine, Input, Intent, Plan, RunState, StepState};
use relight::runner::flight::{self, Alarm};
use relight::runner::ledger::Ledger;
use std::path::Path;
use std::sync::{Arc, Mutex};

pub struct Sim<'a> {
    pub prepared: &'a Prepared,
    dice: Dice,
    pub hands: Hands,
    journal: Kept,
    /// The living runner. `None`: nobody has taken the run up.
    runner: Option<Ledger<Kept>>,
    /// Entries on disk, while no runner keeps them.
    events: Vec<Event>,
    /// Where the entries lead, applied one by one by nobody but us.
    pub shadow: RunState,
    born: u64,
    skew: i64,
    /// Reads the whole journal back after every action.
    thorough: bool,
    past: Vec<(relight::model::id::StepId, u32, Purpose)>,
    /// The runner only records any more.
    leaving: bool,
    /// The disk lied, and the journal was refused as cut off: the honest end of such a run.
    pub refused: bool,
}

pub type Held = Result<(), String>;

/// What the steps of a plan work on, untouched.
pub fn places(plan: &Plan) -> Vec<Place> {
    let at = |id: &str| plan.steps.iter().position(|step| step.id.as_str() == id);
    let place = |planned: &relight::runbook::PlannedStep| Place {
        name: planned.id.to_string(),
        changes: planned.effect != Effect::Observe,
        idempotent: planned.idempotent,
        by_person: !matches!(planned.action, PlannedAction::Task(_)),
        removes: planned.id.as_str().strip_prefix("clean-up-").and_then(at),
        probes: planned.clears.as_ref().and_then(|made| at(made.as_str())),
        proof: planned.proof_out.clone(),
        amount: Amount::Nothing,
        drift: 0,
    };
    plan.steps.iter().map(place).collect()
}

impl<'a> Sim<'a> {
    pub fn new(prepared: &'a Prepared, seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let mut platter = Platter::new(Dice::new(dice.throw()));
        platter.lies = dice.percent(2);
        let disk = Shared(Arc::new(Mutex::new(platter)));
        let mut journal = ChainedJournal::begin(disk.clone(), Path::new("simulated")).unwrap();
        journal.append(&prepared.first).unwrap();
        let world = World { places: places(&prepared.plan), orphans: vec![], calm: false };
        let plan = Arc::clone(&prepared.state.plan);
        let mut hands = Hands::new(world, disk, Dice::new(dice.throw()), plan, epoch());
        hands.trace = traced.then(Vec::new);
        Self {
            prepared,
            thorough: seed.is_multiple_of(1024),
            dice,
            hands,
            journal: Kept(Arc::new(Mutex::new(journal))),
            runner: None,
            events: vec![prepared.first.clone()],
            shadow: prepared.state.clone(),
            born: 0,
            skew: 0,
            past: vec![],
            leaving: false,
            refused: false,
        }
    }

    pub fn trace(&mut self) -> Vec<String> {
        self.hands.trace.take().unwrap_or_default()
    }

    pub fn events(&self) -> &[Event] {
        self.runner.as_ref().map_or(&self.events, Ledger::events)
    }

    fn now(&self) -> Now {
        let at = epoch() + chrono::Duration::milliseconds(self.hands.mono as i64 + self.skew);
        Now { at, mono_ms: self.hands.mono - self.born }
    }

    fn wall(&self) -> Timestamp {
        self.now().at
    }

    /// `horizon` random actions, then no more faults and a willing operator until the run is over.
    pub fn play(&mut self, horizon: usize) -> Held {
        for _ in 0..horizon {
            if self.is_over() {
                break;
            }
            self.act()?;
        }
        self.hands.world.calm = true;
        self.hands.dies_before = None;
        {
            let mut platter = self.hands.disk.look();
            platter.power_for = None;
            platter.flush_fails = false;
            platter.full = false;
        }
        for _ in 0..400 {
            if self.is_over() {
                return self.check_end();
            }
            self.go_on()?;
        }
        let state = self.runner.as_ref().map(|runner| format!("{:?}", runner.state().steps));
        Err(format!("the run does not come to its end with a willing operator and no faults: {state:?}"))
    }

    fn is_over(&self) -> bool {
        self.refused || self.hands.finished
    }

    #[expect(clippy::too_many_lines, reason = "the table of all that may happen")]
    fn act(&mut self) -> Held {
        self.hands.mono += match self.dice.below(20) {
            0 => self.dice.below(900_000) as u64,
            1..4 => self.dice.below(70_000) as u64,
            _ => self.dice.below(2_000) as u64,
        };
        if self.runner.is_none() {
            return self.take_up();
        }
        match self.dice.below(100) {
            0..45 if !self.hands.works.is_empty() => self.work(),
            0..66 => self.person(),
            66..69 => {
                let hours = self.dice.pick(&[-36_000, -3_600, -120, -30, 30, 120, 3_600, 90_000]);
                self.skew += hours * 1000;
                self.hands.note(|| format!("the clock jumps by {hours} s"));
                Ok(())
            }
            69..72 => {
                self.hands.note(|| "the runner is killed".to_owned());
                self.killed(false)
            }
            72..74 => {
                self.hands.note(|| "the power goes".to_owned());
                self.killed(true)
            }
            74..76 => self.leave(),
            76..79 => {
                let after = self.dice.below(12);
                self.hands.note(|| format!("the power will go after {after} operations of the disk"));
                self.hands.disk.look().power_for = Some(after);
                Ok(())
            }
            79..82 => {
                let after = self.dice.below(2);
                self.hands.note(|| format!("the runner will die before order {after} from here"));
                self.hands.dies_before = Some(after);
                Ok(())
            }
            82..85 => {
                let full = !self.hands.disk.look().full;
                self.hands.note(|| format!("the disk is full: {full}"));
                self.hands.disk.look().full = full;
                Ok(())
            }
            85 => {
                self.hands.note(|| "the next flush will fail".to_owned());
                self.hands.disk.look().flush_fails = true;
                Ok(())
            }
            86..89 => {
                let place = self.dice.below(self.hands.world.places.len());
                self.hands.world.places[place].drift += 1;
                self.hands.note(|| format!("the target of step {place} changes"));
                Ok(())
            }
            89..92 => self.ghost(),
            92..95 => {
                let mut dice = Dice::new(self.dice.throw());
                if self.hands.world.stir(&mut dice) {
                    self.hands.note(|| "something without a runner comes to its end".to_owned());
                }
                Ok(())
            }
            _ => self.catch_up(),
        }
    }

    /// One step towards the end, by people and a world that mean well.
    fn go_on(&mut self) -> Held {
        self.hands.mono += 1_000;
        let Some(runner) = &self.runner else { return self.take_up() };
        if runner.is_full() {
            return self.catch_up();
        }
        if !self.hands.works.is_empty() {
            return self.work();
        }
        let until = self.wall() + chrono::Duration::hours(10);
        match operator::willing(runner.state(), until) {
            Some(intent) => {
                let name = runner.state().operator.name.clone();
                self.wish(&name, intent)
            }
            None => self.tell(Input::Continue).map(|_| ()),
        }
    }

    fn catch_up(&mut self) -> Held {
        let now = self.now();
        let Some(runner) = &mut self.runner else { return Ok(()) };
        if !runner.is_full() {
            return self.tell(Input::Continue).map(|_| ());
        }
        self.hands.note(|| "the runner tries to write again".to_owned());
        let told = runner.catch_up(now, &mut self.hands).map(|()| None);
        self.after(told).map(|_| ())
    }

    fn person(&mut self) -> Held {
        let Some(runner) = &self.runner else { return Ok(()) };
        let now = self.wall();
        let intent = operator::random(&mut self.dice, runner.state(), now);
        let operator = runner.state().operator.name.clone();
        let other = self.dice.pick(&["ada", "grace"]);
        let name = if self.dice.percent(75) { operator.as_str() } else { other };
        // Two consoles may send the same in the same instant.
        if self.dice.percent(10) {
            self.wish("grace", intent.clone())?;
        }
        self.wish(name, intent)
    }

    fn wish(&mut self, name: &str, intent: Intent) -> Held {
        if self.runner.is_none() {
            return Ok(());
        }
        let from = self.events().len();
        let input = Input::Intent { actor: actor(name), intent };
        let Some(refused) = self.tell(input)? else { return Ok(()) };
        let come_true = self.events().get(from..).unwrap_or_default().iter().any(|event| {
            use EventKind::{
                AbortRequested, AnotherPointChosen, Answered, Armed, Disarmed, NoteAdded, Paused, Resumed, RunStarted,
            };
            use EventKind::{DecisionPostponed, TimeLimitAmended};
            event.actor.name == name
                && match &event.kind {
                    Answered { refused, .. } => refused.is_none(),
                    AbortRequested { .. } | Armed { .. } | Disarmed { .. } | NoteAdded { .. } => true,
                    Paused { .. } | Resumed | RunStarted | AnotherPointChosen { .. } => true,
                    DecisionPostponed { .. } | TimeLimitAmended { .. } => true,
                    _ => false,
                }
        });
        if come_true { Err(format!("a wish was refused ({refused}) and came true")) } else { Ok(()) }
    }

    /// One of the tasks in flight goes on, ends, meets its time limit, or is given up.
    fn work(&mut self) -> Held {
        let mono = self.hands.mono;
        let calm = self.hands.world.calm;
        if self.hands.works.is_empty() {
            return Ok(());
        }
        let at = if self.hands.works.len() > 1 { self.dice.below(self.hands.works.len()) } else { 0 };
        let mut work = self.hands.works.remove(at);
        if self.dice.percent(15) {
            self.hands.world.land(&mut work.flight);
        }
        let watched = self.prepared.plan.step(&work.step).is_some_and(|planned| planned.stop_if.is_some());
        if watched && !calm && self.dice.percent(10) {
            let (step, attempt) = (work.step.clone(), work.attempt);
            self.hands.works.push(work);
            return self.tell(Input::StopMet { step, attempt, why: "no room".to_owned() }).map(|_| ());
        }
        let stops = work.told.is_some() && !work.flight.is_deaf();
        if stops || (work.flight.speaks() && (calm || self.dice.percent(70))) {
            let mut dice = Dice::new(self.dice.throw());
            let end = self.hands.world.end(&mut dice, &mut work.flight, work.told);
            return self.ended(work, end);
        }
        if (calm || self.dice.percent(30))
            && let Some(at) = work.limits.next_alarm()
        {
            // Nothing else happens until its alarm rings.
            self.hands.mono = mono.max(at.as_millis() as u64);
        }
        let alarm = work.limits.ring(self.hands.time());
        if alarm == Some(Alarm::CutOff) {
            let end = flight::cut_off(work.purpose);
            self.hands.world.orphan(work.flight.clone());
            return self.ended(work, end);
        }
        let (step, attempt, purpose) = (work.step.clone(), work.attempt, work.purpose);
        self.hands.works.push(work);
        if alarm.is_some() { self.tell(Input::Deadline { step, attempt, purpose }).map(|_| ()) } else { Ok(()) }
    }

    fn ended(&mut self, work: Work, end: End) -> Held {
        let Work { step, attempt, purpose, .. } = work;
        self.past.push((step.clone(), attempt, purpose));
        self.hands.answered = self.hands.mono;
        self.tell(Input::TaskEnded { step, attempt, purpose, end }).map(|_| ())
    }

    /// The end, or the time limit, of a task that is not in flight any more, told once more.
    fn ghost(&mut self) -> Held {
        let waits = self.runner.as_ref().is_none_or(Ledger::is_full);
        if self.past.is_empty() || waits {
            return Ok(());
        }
        let (step, attempt, purpose) = self.past[self.dice.below(self.past.len())].clone();
        let same = |work: &Work| work.step == step && work.attempt == attempt && work.purpose == purpose;
        if self.hands.works.iter().any(same) {
            return Ok(());
        }
        let from = self.events().len();
        if self.dice.percent(50) {
            self.tell(Input::Deadline { step, attempt, purpose })?;
        } else {
            let end = End::Task(TaskOutcome::Done { output: Values::new() });
            self.tell(Input::TaskEnded { step, attempt, purpose, end })?;
        }
        let believed = self.events()[from..]
            .iter()
            .any(|event| matches!(event.kind, EventKind::TaskEnded { .. } | EventKind::DeadlinePassed { .. }));
        if believed { Err("the late end of a task that was given up was believed".to_owned()) } else { Ok(()) }
    }

    /// SIGTERM: the task is stopped, its end recorded, the next runner goes on.
    fn leave(&mut self) -> Held {
        self.hands.note(|| "the runner is told to leave".to_owned());
        let Some(runner) = &mut self.runner else { return Ok(()) };
        runner.close();
        self.leaving = true;
        for mut work in std::mem::take(&mut self.hands.works) {
            let told = work.told.max(Some(CancelReason::Shutdown));
            let end = if work.flight.is_deaf() {
                self.hands.world.orphan(work.flight.clone());
                flight::cut_off(work.purpose)
            } else {
                let mut dice = Dice::new(self.dice.throw());
                self.hands.world.end(&mut dice, &mut work.flight, told)
            };
            self.ended(work, end)?;
        }
        if self.runner.is_some() && !self.hands.finished {
            self.tell(Input::Stopping { why: "told to end".to_owned() })?;
        }
        self.killed(false)
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands in a row with acts that may break a promise")]
    fn killed(&mut self, power: bool) -> Held {
        if let Some(runner) = self.runner.take() {
            self.events = runner.into_events();
        }
        self.leaving = false;
        self.hands.die();
        let mut platter = self.hands.disk.look();
        // A lie costs only what it hid: from then on the journal may know less than the world.
        if power && platter.lose_power() {
            drop(platter);
            self.hands.misled = true;
            return Ok(());
        }
        platter.power_for = None;
        Ok(())
    }

    fn tell(&mut self, input: Input) -> Result<Option<String>, String> {
        let now = self.now();
        let Some(runner) = &mut self.runner else { return Ok(None) };
        self.hands.note(|| format!("{} <- {input:?}", now.at.format("%H:%M:%S")));
        let told = runner.tell(input, now, &mut self.hands);
        self.after(told)
    }

    fn after(&mut self, told: Result<Option<String>, JournalError>) -> Result<Option<String>, String> {
        if let Ok(Some(refused)) = &told {
            self.hands.note(|| format!("   refused: {refused}"));
        }
        if let Some(broken) = self.hands.broken.take() {
            return Err(broken);
        }
        let Some(runner) = &self.runner else { return Ok(None) };
        for event in &runner.events()[self.shadow.seq as usize..] {
            self.shadow.apply(event);
        }
        let dead = self.hands.disk.look().dead;
        if dead || told.is_err() {
            self.hands.note(|| format!("   the runner ends: {:?}", told.as_ref().err().map(ToString::to_string)));
            let power = self.hands.disk.look().power_for.is_some() || self.dice.percent(30);
            self.killed(power)?;
            return Ok(None);
        }
        self.check()?;
        told.map_err(|error| error.to_string())
    }

    /// A new runner comes.
    fn take_up(&mut self) -> Held {
        let (unsure, bytes, head) = {
            let platter = self.hands.disk.look();
            (platter.unsure, platter.bytes.clone(), Head::decode(&platter.head))
        };
        self.hands.disk.look().opened();
        self.hands.note(|| format!("a runner takes the run up; reads the journal: {unsure}"));
        let mut engine_state = None;
        if unsure || self.thorough {
            let disk = self.hands.disk.clone();
            // A full disk does not hinder reading and cutting.
            match ChainedJournal::take_up(Path::new("simulated"), &bytes, head.as_ref(), || Ok(disk)) {
                Ok(opened) => {
                    self.journal = Kept(Arc::new(Mutex::new(opened.journal)));
                    self.know(opened.events)?;
                    if self.refused {
                        return Ok(());
                    }
                }
                Err(JournalError::Damaged { .. }) if self.hands.misled => {
                    self.refused = true;
                    return Ok(());
                }
                Err(error) => {
                    if self.hands.disk.look().unsure {
                        return Ok(());
                    }
                    return Err(format!("the journal cannot be taken up: {error}"));
                }
            }
            if self.thorough {
                engine_state = Some(replay(&self.events).map_err(|error| error.to_string())?);
            }
        }
        let state = engine_state.unwrap_or_else(|| self.shadow.clone());
        if state.status.is_over() {
            self.hands.finished = true;
            return Ok(());
        }
        self.born = self.hands.mono;
        let engine = Engine::new(state, actor("relight"));
        self.runner = Some(Ledger::new(engine, self.journal.clone(), std::mem::take(&mut self.events)));
        self.tell(Input::Recovered { pid: 1, version: "t".to_owned() }).map(|_| ())
    }

    /// What is on disk; only a line that nobody was told of may be new, and only a lie may have lost one.
    fn know(&mut self, events: Vec<Event>) -> Held {
        let common = self.events.iter().zip(&events).all(|(known, read)| known == read);
        if !common || (events.len() < self.events.len() && !self.hands.misled) {
            return Err(format!("of {} entries {} are read back", self.events.len(), events.len()));
        }
        if events.is_empty() {
            self.refused = true;
            return Ok(());
        }
        self.hands.lost(events.len() as u64);
        for event in &events {
            self.hands.observe(event);
        }
        if (events.len() as u64) < self.shadow.seq {
            self.shadow = self.prepared.state.clone();
        }
        for event in &events[self.shadow.seq as usize..] {
            self.shadow.apply(event);
        }
        self.events = events;
        self.hands.broken.take().map_or(Ok(()), Err)
    }

    fn check(&mut self) -> Held {
        let Some(runner) = &self.runner else { return Ok(()) };
        let state = runner.state();
        if state.seq != runner.events().len() as u64 {
            return Err(format!("the state stands at entry {} and the disk at {}", state.seq, runner.events().len()));
        }
        if state != &self.shadow {
            return Err("what the entries lead to is not the live state".to_owned());
        }
        let mut here: Vec<_> = state.working.iter().map(|w| (&w.step, w.attempt, w.purpose)).collect();
        // What was left out because enough of its group are done is stopping.
        let stops =
            |w: &&Work| w.told.is_some() && state.step(&w.step).is_some_and(|record| record.state == StepState::NotRun);
        let mut there: Vec<_> =
            self.hands.works.iter().filter(|w| !stops(w)).map(|w| (&w.step, w.attempt, w.purpose)).collect();
        here.sort_by_key(|(step, _, _)| step.as_str());
        there.sort_by_key(|(step, _, _)| step.as_str());
        if here != there && !runner.is_full() && !self.hands.finished && !self.leaving {
            return Err(format!("the state says that {here:?} is in flight, the runner has {there:?}"));
        }
        let waits = state.question.is_some() || state.paused.is_some() || state.started_at.is_none();
        if !state.status.is_over()
            && here.is_empty()
            && (!waits || state.abort.is_some())
            && !runner.is_full()
            && !self.leaving
        {
            let steps: Vec<String> = state.steps.iter().map(|step| format!("{} {}", step.id, step.state)).collect();
            return Err(format!("the run waits for nothing and nobody: {steps:?}"));
        }
        if self.thorough {
            let (bytes, head) = {
                let platter = self.hands.disk.look();
                (platter.bytes.clone(), Head::decode(&platter.head))
            };
            let copy = Shared(Arc::new(Mutex::new(Platter::new(Dice::new(0)))));
            let read = ChainedJournal::take_up(Path::new("copy"), &bytes, head.as_ref(), || Ok(copy));
            let read = read.map_err(|error| format!("the journal on disk cannot be read: {error}"))?;
            if &replay(&read.events).map_err(|error| error.to_string())? != state {
                return Err("what is read back from disk leads to another state than the live one".to_owned());
            }
        }
        Ok(())
    }
}
