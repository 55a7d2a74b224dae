//! The runner's loop: inputs into the engine, events onto disk, orders into the world, in that order.

use super::bond::{Bond, mirror_news};
use super::flight::Alarm;
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
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Distance between two messages about a task's progress.
const BEAT: Duration = Duration::from_millis(200);
/// Distance between two tries to write to a full disk.
const FULL: Duration = Duration::from_secs(5);
/// Distance between two looks whether the time to decide has passed.
const DUE: Duration = Duration::from_secs(1);
/// How long a leaving runner waits for its task, and for its frontends to read to the end.
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
    work: Option<Work>,
    /// Tells the condition on which the work stops, once it is seen.
    stops: Option<oneshot::Receiver<String>>,
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
                let mut work = Work::start(&self.ground, &self.folder, turn, task, limits, stop_if);
                self.stops = work.stops.take();
                self.work = Some(work);
            }
            Order::CancelTask { reason } => {
                if let Some(work) = &mut self.work {
                    work.cancel(reason);
                }
            }
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
                work: None,
                stops: None,
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
            let alarm_at = self.hands.work.as_ref().and_then(Work::next_alarm);
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
                end = ended(&mut self.hands.work) => self.work_ended(end)?,
                why = stops(&mut self.hands.stops) => self.work_stops(why)?,
                () = alarm(alarm_at) => self.work_alarm()?,
                Some(call) = calls.recv() => self.called(call)?,
                _ = beat.tick(), if self.hands.work.is_some() => self.tell_progress(),
                _ = due.tick(), if self.ledger.state().due_at().is_some() => self.look_at_the_clock()?,
                _ = retry.tick(), if self.ledger.is_full() => {
                    let now = self.now();
                    self.ledger.catch_up(now, &mut self.hands)?;
                }
            }
        }
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

    fn work_ended(&mut self, end: Option<End>) -> Result<(), JournalError> {
        self.tell_progress();
        let Some(work) = self.hands.work.take() else { return Ok(()) };
        self.hands.stops = None;
        let end = end.unwrap_or_else(|| work.lost());
        let input = Input::TaskEnded { step: work.step, attempt: work.attempt, purpose: work.purpose, end };
        self.tell_engine(input).map(|_| ())
    }

    fn work_alarm(&mut self) -> Result<(), JournalError> {
        let Some(work) = &mut self.hands.work else { return Ok(()) };
        match work.ring() {
            None => return Ok(()),
            Some(Alarm::CutOff) => {
                let end = work.cut_off();
                return self.work_ended(Some(end));
            }
            Some(Alarm::Deadline) => {}
        }
        let input = Input::Deadline { step: work.step.clone(), attempt: work.attempt, purpose: work.purpose };
        self.tell_engine(input).map(|_| ())
    }

    fn work_stops(&mut self, why: String) -> Result<(), JournalError> {
        let Some(work) = &self.hands.work else { return Ok(()) };
        let input = Input::StopMet { step: work.step.clone(), attempt: work.attempt, why };
        self.tell_engine(input).map(|_| ())
    }

    fn tell_progress(&mut self) {
        let Some(work) = &mut self.hands.work else { return };
        let progress = work.progress.has_changed().is_ok_and(|changed| changed);
        let progress = progress.then(|| work.progress.borrow_and_update().clone());
        let lines = work.take_lines();
        if progress.is_some() || !lines.is_empty() {
            let step = work.step.clone();
            self.hands.frontends.tell(&FromRunner::Live { step, progress, lines });
        }
    }

    /// Told to go: the task in flight is stopped and its end recorded, then the journal is closed. The run
    /// itself goes on with the next runner.
    async fn leave(mut self, why: String) -> Result<(), JournalError> {
        self.ledger.close();
        if let Some(work) = &mut self.hands.work {
            work.cancel(CancelReason::Shutdown);
            let end = tokio::time::timeout(FAREWELL, ended(&mut self.hands.work)).await;
            let end = match (end, &self.hands.work) {
                (Ok(end), _) => end,
                (Err(_), Some(work)) => Some(work.cut_off()),
                (Err(_), None) => None,
            };
            self.work_ended(end)?;
        }
        self.tell_engine(Input::Stopping { why: why.clone() })?;
        self.hands.frontends.tell(&FromRunner::Bye { why });
        self.hands.frontends.part(LAST_WORDS).await;
        Ok(())
    }
}

/// The end of the task in flight; waits for ever while there is none.
async fn ended(work: &mut Option<Work>) -> Option<End> {
    match work {
        Some(work) => (&mut work.ended).await.ok(),
        None => std::future::pending().await,
    }
}

/// The condition on which the task in flight stops; waits for ever while none is seen.
async fn stops(seen: &mut Option<oneshot::Receiver<String>>) -> String {
    if let Some(heard) = seen
        && let Ok(why) = heard.await
    {
        *seen = None;
        return why;
    }
    std::future::pending().await
}

async fn alarm(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
