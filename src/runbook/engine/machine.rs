//! The machine's face: inputs, orders, and the engine that holds the state.

use super::{advance, decide};
use crate::event::{Event, EventKind, Purpose};
use crate::model::actor::Actor;
use crate::model::id::{RunId, StepId};
use crate::model::lease::TakenFrom;
use crate::model::task::{CancelReason, TaskSpec};
use crate::model::time::Timestamp;
use crate::runbook::intent::Intent;
use crate::runbook::plan::Plan;
use crate::runbook::state::{End, RunState};
use std::sync::Arc;
use std::time::Duration;

/// The time, from both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub at: Timestamp,
    /// Milliseconds since the runner started.
    pub mono_ms: u64,
}

/// What the world tells the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Intent {
        actor: Actor,
        intent: Intent,
    },
    TaskEnded {
        step: StepId,
        attempt: u32,
        purpose: Purpose,
        end: End,
    },
    /// The time limit of a task in flight passed.
    Deadline {
        step: StepId,
        attempt: u32,
        purpose: Purpose,
    },
    /// A condition on which the step's work stops was seen.
    StopMet {
        step: StepId,
        attempt: u32,
        why: String,
    },
    /// A runner has read the journal and takes the run up. Tasks that were in flight are cut off.
    Recovered {
        pid: u32,
        version: String,
    },
    /// The run holds its lock scopes, for the first time, anew, or again after a lapse.
    Leased {
        epoch: u64,
        scopes: Vec<String>,
        place: String,
    },
    /// Someone took the run over from the holder before.
    TakenOver {
        actor: Actor,
        epoch: u64,
        scopes: Vec<String>,
        place: String,
        from: TakenFrom,
    },
    LeaseLapsed {
        why: String,
    },
    LeaseLost {
        why: String,
    },
    /// Nothing new but time: go on if the state allows it.
    Continue,
    /// The runner goes; nothing follows from it until the next one comes.
    Stopping {
        why: String,
    },
}

/// What the runner must do, once the event that gave the order is on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    StartTask {
        step: StepId,
        attempt: u32,
        purpose: Purpose,
        task: TaskSpec,
        timeout: Duration,
    },
    CancelTask {
        step: StepId,
        reason: CancelReason,
    },
    /// Another plan is in force from here on.
    Replanned {
        plan: Arc<Plan>,
    },
    /// The run is over: tell everyone and leave.
    Finish,
}

/// What follows from an input: events to append in this order, or why it is refused. A refused answer
/// has both: it is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    pub events: Vec<Event>,
    pub refused: Option<String>,
}

/// One run: its state, and who speaks when nobody asked.
#[derive(Clone, Debug)]
pub struct Engine {
    state: RunState,
    me: Actor,
    /// A runner has taken the run up, and said so in the journal.
    taken_up: bool,
    closing: bool,
}

impl Engine {
    /// `me` is the actor of events that no operator caused. Inputs before [`Input::Recovered`] are recorded, and nothing
    /// follows from them: what was in flight is told as cut off first.
    pub fn new(state: RunState, me: Actor) -> Self {
        Self { state, me, taken_up: false, closing: false }
    }

    /// The first entry of a run's journal: the whole plan.
    pub fn creation(run: RunId, plan: &Plan, actor: Actor, now: Now) -> Event {
        Event {
            seq: 1,
            run,
            at: now.at,
            mono_ms: now.mono_ms,
            actor,
            kind: EventKind::RunCreated {
                plan_digest: plan.digest.clone(),
                plan: serde_json::to_value(plan).unwrap_or_default(),
            },
        }
    }

    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// From here on inputs are recorded, and nothing new begins.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// What follows from `input`. Changes nothing: the events must be appended and applied one by one.
    pub fn handle(&self, input: &Input, now: Now) -> Decision {
        let actor = match input {
            Input::Intent { actor, .. } | Input::TakenOver { actor, .. } => actor,
            _ => &self.me,
        };
        let first = decide::decide(&self.state, input, now.at);
        let mut draft = self.state.clone();
        let mut events = Vec::new();
        let mut push = |draft: &mut RunState, kind: EventKind| {
            let (seq, run, actor) = (draft.seq + 1, draft.id.clone(), actor.clone());
            let event = Event { seq, run, at: now.at, mono_ms: now.mono_ms, actor, kind };
            draft.apply(&event);
            events.push(event);
        };
        for kind in first.events {
            push(&mut draft, kind);
        }
        let taken_up = self.taken_up || matches!(input, Input::Recovered { .. });
        if taken_up && !self.closing && !matches!(input, Input::Stopping { .. }) {
            // Every step takes only a handful of events; the bound turns a mistake into a halt.
            for _ in 0..64 + draft.steps.len() * 16 {
                let Some(kind) = advance::next(&draft, now) else { break };
                push(&mut draft, kind);
            }
        }
        Decision { events, refused: first.refused }
    }

    /// Makes an event true. The orders must be executed only if the event is news, and on disk.
    pub fn apply(&mut self, event: &Event) -> Vec<Order> {
        self.taken_up |= matches!(event.kind, EventKind::RunnerStarted { .. });
        self.state.apply(event)
    }
}
