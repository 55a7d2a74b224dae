//! A task as data: what to do, how far it is, how it ended.

use super::size::ByteCount;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Named values that travel between plan, steps and task modules.
pub type Values = serde_json::Map<String, serde_json::Value>;

/// What a step does to the world; drives the default guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Reads only.
    Observe,
    /// Makes something new that can be removed again.
    Reversible,
    /// Reversible, but takes long or much space, or loads production.
    Costly,
    /// Cuts something off from writing.
    Fence,
    /// Changes what production is.
    Irreversible,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Effect::Observe => "observe",
            Effect::Reversible => "reversible",
            Effect::Costly => "costly",
            Effect::Fence => "fence",
            Effect::Irreversible => "irreversible",
        })
    }
}

/// Work for a task module, complete: nothing is looked up or computed later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Name in the table of modules, for example `pg.restore`.
    pub module: String,
    pub input: Values,
}

/// How far a task is. `total` is absent where nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub done: u64,
    pub total: Option<u64>,
    pub unit: Unit,
    /// What it works on right now, one short line; escaped before it is shown.
    pub note: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Bytes,
    Objects,
    Tables,
    #[default]
    Items,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |n: u64| match self.unit {
            Unit::Bytes => ByteCount(n).to_string(),
            Unit::Objects => format!("{n} objects"),
            Unit::Tables => format!("{n} tables"),
            Unit::Items => n.to_string(),
        };
        match self.total {
            Some(total) => write!(f, "{} of {}", amount(self.done), amount(total)),
            None => f.write_str(&amount(self.done)),
        }
    }
}

/// Why a task was told to stop; a later reason outranks an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelReason {
    /// Its step's time limit.
    Deadline,
    /// Its step names a condition on which it stops, and that was seen.
    Condition,
    /// The operator aborts the run.
    Operator,
    /// The runner must go now.
    Shutdown,
}

/// How a task ended. `Unknown` is neither success nor failure: the world must be looked at again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum TaskOutcome {
    Done { output: Values },
    Failed { failure: Failure },
    Unknown { failure: Failure },
    Cancelled { reason: CancelReason },
}

/// What a look at the world says about an attempt whose end is not known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reality", content = "detail", rename_all = "kebab-case")]
pub enum Reality {
    /// It took effect, wholly; these are the outputs it would have returned.
    Done(Values),
    /// It did not take effect at all, or what it began can simply be begun again.
    NotDone(String),
    /// Something of it is there, and going on would build on sand: undo first.
    Partial(String),
    /// The world cannot be read well enough to say.
    Unknown(Failure),
}

/// A definite no, in three sentences: what happened, what it means, what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    pub what: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub meaning: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
    /// Lines that show it: program output, error chain, figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), meaning: String::new(), next: String::new(), evidence: Vec::new() }
    }
    #[must_use]
    pub fn means(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = meaning.into();
        self
    }
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }
    #[must_use]
    pub fn evidence(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }
}

/// The live identity of a step's target, re-read before anything destructive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetIdentity {
    /// What it is in one line: `database orders on 127.0.0.1:5432`.
    pub title: String,
    /// Facts that must not change between plan and act, in order of display (role, system identifier,
    /// database oid, rows written…).
    pub facts: Vec<(String, String)>,
    pub read_at: Timestamp,
}

impl TargetIdentity {
    /// Facts that differ from `other`: `(fact, here, there)`; a fact missing on one side counts.
    pub fn differences(&self, other: &Self) -> Vec<(String, String, String)> {
        let value = |of: &Self, key: &str| of.facts.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
        let mut keys: Vec<&String> = self.facts.iter().map(|(k, _)| k).collect();
        keys.extend(other.facts.iter().map(|(k, _)| k).filter(|k| value(self, k).is_none()));
        keys.into_iter()
            .filter_map(|key| {
                let (here, there) = (value(self, key), value(other, key));
                let text = |v: Option<String>| v.unwrap_or_else(|| "absent".to_owned());
                (here != there).then(|| (key.clone(), text(here), text(there)))
            })
            .collect()
    }
}
