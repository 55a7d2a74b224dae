//! The control socket's language: one JSON object per line, both ways.

use super::mirror::Behind;
use crate::event::Event;
use crate::model::actor::Actor;
use crate::model::id::StepId;
use crate::model::task::Progress;
use crate::runbook::Intent;
use serde::{Deserialize, Serialize};

/// From a frontend to the runner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum ToRunner {
    /// Must come first. `after` is the last event the frontend has; 0 for all.
    Hello { actor: Actor, after: u64 },
    /// An intent; the answer carries the same `id`.
    Intent { id: u64, intent: Intent },
}

/// From the runner to a frontend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromRunner {
    /// One journal entry, in order, none left out.
    Event {
        event: Box<Event>,
    },
    /// Everything up to here is sent; what follows is news.
    CaughtUp {
        seq: u64,
    },
    /// Not journalled: latest progress and new output lines of the running task.
    Live {
        step: StepId,
        progress: Option<Progress>,
        lines: Vec<String>,
    },
    /// Not journalled: whether the journal's mirror in the shared place keeps up. Absent: it does again.
    Mirror {
        behind: Option<Behind>,
    },
    Accepted {
        id: u64,
    },
    Refused {
        id: u64,
        why: String,
    },
    /// The runner goes away; the run does not.
    Bye {
        why: String,
    },
}
