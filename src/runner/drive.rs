//! The runner's loop: inputs into the engine, events onto disk, orders into the world, in that order.

use super::bond::{Bond, mirror_news};
use super::crew::{Crew, Rung, Told};
use super::folder::RunFolder;
use super::frontends::{Call, Frontends};
use super::ground::Ground;
use super::ledger::{Heed, Ledger};
use super::protocol::FromRunner;
use super::work::Work;
use crate::event::{Event, Purpose};
use crate::journal::lease::Leases;
use crate::journal::{FileJournal, JournalError};
use crate::model::task::CancelReason;
use crate::runbook::engine::Now;
use crate::runbook::state::End;
use crate::runbook::{Engine, Input, Order, Plan};
use crate::tasks::Shelf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Distance between two messages about a task's progress.
const BEAT: Duration = Duration::from_millis(200);
/// Distance between two tries to write to a full disk.
const FULL: Duration = Duration::from_secs(5);
/// Distance between two looks whether the time to decide has passed.
const DUE: Duration = Duration::from_secs(1);
/// How long a leaving runner waits for its tasks, and for its frontends to read to the end.
const FAREWELL: Duration = Duration::from_secs(20);
const LAST_WORDS: Duration = Duration::from_secs(2);

pub struct Drive {
    pub(super) ledger: Ledger<FileJournal>,
    pub(super) hands: Hands,
    started: Instant,
}

/// What the events are told to, and what the orders move.
pub(super) struct Hands {
    pub ground: Ground,
    pub folder: RunFolder,
    pub bond: Bond,
    plan: Arc<Plan>,
    frontends: Frontends,
    crew: Crew,
    finished: bool,
}

impl Heed for Hands {
    fn event(&mut self, event: &Event) {
        if let Some(mirror) = &self.bond.mirror {
            mirror.written(event.seq);
        }
        self.frontends.tell(&FromRunner::Event { event: Box::new(event.clone()) });
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::StartTask { step, attempt, purpose, task, timeout } => {
                let guard = self.bond.guard(&step, attempt, purpose);
                let planned = self.plan.step(&step).filter(|_| purpose == Purpose::Run);
                let stop_if = planned.and_then(|planned| planned.stop_if.clone());
                let turn = (step, attempt, purpose);
                let leases = &self.bond.leases;
                let shelf =
                    if leases.is_shared() { Shelf::shared(Arc::clone(leases.place())) } else { Shelf::default() };
                let limits = (timeout, self.plan.mode, guard, shelf);
                self.crew.join(Work::start(&self.ground, &self.folder, turn, task, limits, stop_if));
            }
            Order::CancelTask { step, reason } => self.crew.cancel(&step, reason),
            Order::Replanned { plan } => self.plan = plan,
            Order::Finish => self.finished = true,
        }
    }
}

impl Drive {
    pub fn new(
        engine: Engine,
        (journal, events): (FileJournal, Vec<Event>),
        ground: Ground,
        leases: Leases,
        folder: RunFolder,
    ) -> Self {
        let bond = Bond::new(leases, Arc::clone(&engine.state().plan));
        let plan = Arc::clone(&engine.state().plan);
        Self {
            ledger: Ledger::new(engine, journal, events),
            hands: Hands {
                ground,
                folder,
                bond,
                plan,
                frontends: Frontends::default(),
                crew: Crew::default(),
                finished: false,
            },
            started: Instant::now(),
        }
    }

    fn now(&self) -> Now {
        Now { at: self.hands.ground.clock.now(), mono_ms: self.started.elapsed().as_millis() as u64 }
    }

    /// Runs until the run is over, `stop` says why to leave, or the journal fails for good.
    pub async fn run(
        mut self,
        mut calls: mpsc::Receiver<Call>,
        mut stop: mpsc::Receiver<String>,
    ) -> Result<(), JournalError> {
        if let Some(why) = self.take_up_lease().await? {
            return self.leave(why).await;
        }
        let hello = Input::Recovered { pid: std::process::id(), version: env!("CARGO_PKG_VERSION").to_owned() };
        self.tell_engine(hello)?;
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut retry = tokio::time::interval(FULL);
        retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut due = tokio::time::interval(DUE);
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.hands.finished {
            let alarm_at = self.hands.crew.next_alarm();
            tokio::select! {
                biased;
                Some(why) = stop.recv() => return self.leave(why).await,
                Some(news) = self.hands.bond.news.recv() => {
                    let news = self.hands.bond.heard(news);
                    if let Some(why) = self.lease_news(news)? {
                        return self.leave(why).await;
                    }
                }
                Some(asked) = self.hands.bond.granted.recv() => {
                    if let Some(why) = self.lease_granted(asked)? {
                        return self.leave(why).await;
                    }
                }
                behind = mirror_news(&mut self.hands.bond.mirror) => self.hands.frontends.tell(&FromRunner::Mirror { behind }),
                told = self.hands.crew.next() => self.work_told(told)?,
                () = alarm(alarm_at) => self.work_alarm()?,
                Some(call) = calls.recv() => self.called(call)?,
                _ = beat.tick(), if !self.hands.crew.is_empty() => self.tell_progress(),
                _ = due.tick(), if self.ledger.state().due_at().is_some() => self.look_at_the_clock()?,
                _ = retry.tick(), if self.ledger.is_full() => {
                    let now = self.now();
                    self.ledger.catch_up(now, &mut self.hands)?;
                }
            }
        }
        // What was left out at the end may still be stopping; it only looks.
        self.hands.crew.cut_off();
        let kept = self.give_back().await.map(|why| format!("; {why}")).unwrap_or_default();
        let status = self.ledger.state().status.word().to_owned();
        self.hands.frontends.tell(&FromRunner::Bye { why: format!("the run is over: {status}{kept}") });
        self.hands.frontends.part(LAST_WORDS).await;
        Ok(())
    }

    /// What time alone changes about the run.
    fn look_at_the_clock(&mut self) -> Result<(), JournalError> {
        let now = self.hands.ground.clock.now();
        if self.ledger.is_full() || self.ledger.state().due_at().is_none_or(|due| due > now) {
            return Ok(());
        }
        self.tell_engine(Input::Continue).map(|_| ())
    }

    pub(super) fn tell_engine(&mut self, input: Input) -> Result<Option<String>, JournalError> {
        let now = self.now();
        self.ledger.tell(input, now, &mut self.hands)
    }

    fn called(&mut self, call: Call) -> Result<(), JournalError> {
        match call {
            Call::Join { after, answer } => {
                // A frontend that left at once is noticed when it is told something.
                let _ = answer.send(self.hands.frontends.join(self.ledger.events(), after));
            }
            Call::Intent { actor, intent, answer } if self.needs_lease_first(&intent) => {
                self.ask_for_lease(actor, intent, answer);
            }
            Call::Intent { actor, intent, answer } => {
                let refused = self.tell_engine(Input::Intent { actor, intent })?;
                let _ = answer.send(refused.map_or(Ok(()), Err));
            }
        }
        Ok(())
    }

    fn work_ended(&mut self, mut work: Work, end: End) -> Result<(), JournalError> {
        if let Some(news) = work.news() {
            self.hands.frontends.tell(&news);
        }
        let (step, attempt, purpose) = work.turn();
        self.tell_engine(Input::TaskEnded { step, attempt, purpose, end }).map(|_| ())
    }

    fn work_told(&mut self, told: Told) -> Result<(), JournalError> {
        match told {
            Told::Ended(work, end) => self.work_ended(*work, end),
            Told::Stops((step, attempt, _), why) => self.tell_engine(Input::StopMet { step, attempt, why }).map(|_| ()),
        }
    }

    fn work_alarm(&mut self) -> Result<(), JournalError> {
        match self.hands.crew.ring() {
            None => Ok(()),
            Some(Rung::CutOff(work, end)) => self.work_ended(*work, end),
            Some(Rung::Deadline((step, attempt, purpose))) => {
                self.tell_engine(Input::Deadline { step, attempt, purpose }).map(|_| ())
            }
        }
    }

    fn tell_progress(&mut self) {
        let Hands { crew, frontends, .. } = &mut self.hands;
        for news in crew.each().filter_map(Work::news) {
            frontends.tell(&news);
        }
    }

    /// Told to go: the tasks in flight are stopped and their ends recorded, then the journal is closed. The run
    /// itself goes on with the next runner.
    async fn leave(mut self, why: String) -> Result<(), JournalError> {
        self.ledger.close();
        self.hands.crew.cancel_all(CancelReason::Shutdown);
        let until = Instant::now() + FAREWELL;
        while !self.hands.crew.is_empty() {
            match tokio::time::timeout_at(until, self.hands.crew.next()).await {
                Ok(told) => self.work_told(told)?,
                Err(_) => {
                    for (work, end) in self.hands.crew.cut_off() {
                        self.work_ended(work, end)?;
                    }
                }
            }
        }
        self.tell_engine(Input::Stopping { why: why.clone() })?;
        self.hands.frontends.tell(&FromRunner::Bye { why });
        self.hands.frontends.part(LAST_WORDS).await;
        Ok(())
    }
}

async fn alarm(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
