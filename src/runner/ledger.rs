//! Engine and journal as one: what follows from an input is on disk before it is true, and true before
//! anyone acts on it. It knows neither clock nor socket nor task, so that a simulation drives the very same
//! piece as the runner.

use crate::event::{Event, Purpose};
use crate::journal::{Journal, JournalError};
use crate::model::task::{Failure, TaskOutcome};
use crate::runbook::engine::{Decision, Now};
use crate::runbook::state::End;
use crate::runbook::{Engine, Input, Order, RunState};
use std::collections::VecDeque;

/// Who is told of events and obeys orders, each as soon as its event is on disk.
pub trait Heed {
    fn event(&mut self, event: &Event);
    fn order(&mut self, order: Order);
}

pub struct Ledger<J> {
    engine: Engine,
    journal: J,
    events: Vec<Event>,
    /// What the world told while the journal could not take it.
    late: VecDeque<Input>,
    full: Option<String>,
}

impl<J: Journal> Ledger<J> {
    /// `events` are those of `journal`, and lead to the engine's state.
    pub fn new(engine: Engine, journal: J, events: Vec<Event>) -> Self {
        Self { engine, journal, events, late: VecDeque::new(), full: None }
    }

    pub fn state(&self) -> &RunState {
        self.engine.state()
    }

    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The entries, for whoever takes the run up next.
    pub fn into_events(self) -> Vec<Event> {
        self.events
    }

    /// Why nothing can be written just now; it may pass, and [`Ledger::catch_up`] tries again.
    pub fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// From here on inputs are recorded, and nothing new begins.
    pub fn close(&mut self) {
        self.engine.close();
    }

    /// Hands an input to the engine and makes what follows true. Returns why it was refused. After an error
    /// the runner must end: only reading the journal anew tells what is in it.
    pub fn tell(&mut self, input: Input, now: Now, heed: &mut impl Heed) -> Result<Option<String>, JournalError> {
        // A wish that is refused must not come true later: only what the world told is kept.
        let wish = matches!(input, Input::Intent { .. });
        if self.full.is_some() && !self.late.is_empty() {
            if !wish {
                self.late.push_back(input);
            }
            return Ok(self.full.clone());
        }
        let Decision { events, refused } = self.engine.handle(&input, now);
        for (written, event) in events.into_iter().enumerate() {
            match self.journal.append(&event) {
                Ok(()) => self.full = None,
                Err(error) if error.may_pass() => {
                    let why = error.to_string();
                    self.full = Some(why.clone());
                    if !wish {
                        self.late.push_back(input);
                    }
                    // A wish that is on disk counts; what follows from it waits for room.
                    return Ok(if wish && written > 0 { refused } else { Some(why) });
                }
                Err(error) => return Err(error),
            }
            let orders = self.engine.apply(&event);
            heed.event(&event);
            self.events.push(event);
            for order in orders {
                heed.order(order);
            }
        }
        Ok(refused)
    }

    /// The disk was full: what was told meanwhile, in order.
    pub fn catch_up(&mut self, now: Now, heed: &mut impl Heed) -> Result<(), JournalError> {
        self.full = None;
        let mut waiting = std::mem::take(&mut self.late);
        if waiting.is_empty() {
            waiting.push_back(Input::Continue);
        }
        while let Some(input) = waiting.pop_front() {
            self.tell(aged(input), now, heed)?;
            if self.full.is_some() {
                self.late.extend(waiting);
                break;
            }
        }
        Ok(())
    }
}

/// What an identity, or an amount, was while nothing could be written says nothing about the world as it is now.
fn aged(mut input: Input) -> Input {
    if let Input::TaskEnded { purpose: Purpose::Count | Purpose::IdentifyToAsk | Purpose::IdentifyToAct, end, .. } =
        &mut input
    {
        let failure = Failure::new("it was read while the journal could not be written, and may have changed since");
        *end = End::Task(TaskOutcome::Unknown { failure });
    }
    input
}
