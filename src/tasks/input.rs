//! Typed reading of a module's input, and the three ways in which its work can stop early.

use super::context::TaskContext;
use crate::model::task::{CancelReason, Failure, Reality, TaskOutcome, Values};
use serde::de::DeserializeOwned;

/// Why a module did not reach its end.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    Failed(Failure),
    /// Nobody can say yet whether it took effect.
    Unknown(Failure),
    Cancelled(CancelReason),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failed(failure)
    }
}

impl Stop {
    /// The same stop with one more line of evidence; a cancellation carries none.
    #[must_use]
    pub fn evidence(self, line: impl Into<String>) -> Self {
        match self {
            Stop::Failed(failure) => Stop::Failed(failure.evidence(line)),
            Stop::Unknown(failure) => Stop::Unknown(failure.evidence(line)),
            cancelled @ Stop::Cancelled(_) => cancelled,
        }
    }

    /// What it says, for the cases in which one stop is reported inside another.
    pub fn what(&self) -> String {
        match self {
            Stop::Failed(failure) | Stop::Unknown(failure) => failure.what.clone(),
            Stop::Cancelled(_) => "it was cancelled".to_owned(),
        }
    }
}

/// A look that did not come to its end leaves everything open.
impl From<Stop> for Reality {
    fn from(stop: Stop) -> Self {
        Reality::Unknown(match stop {
            Stop::Failed(failure) | Stop::Unknown(failure) => failure,
            Stop::Cancelled(_) => Failure::new("the look was cut short"),
        })
    }
}

/// A module's result as the outcome that the journal keeps.
pub fn settle(result: Result<Values, Stop>) -> TaskOutcome {
    match result {
        Ok(output) => TaskOutcome::Done { output },
        Err(Stop::Failed(failure)) => TaskOutcome::Failed { failure },
        Err(Stop::Unknown(failure)) => TaskOutcome::Unknown { failure },
        Err(Stop::Cancelled(reason)) => TaskOutcome::Cancelled { reason },
    }
}

/// The same for work that may be left at any point: a store that never answers must not hold a cancelled task.
pub async fn settle_or_stop(cx: &TaskContext, work: impl Future<Output = Result<Values, Stop>>) -> TaskOutcome {
    tokio::select! {
        done = work => settle(done),
        reason = cx.cancel.cancelled() => TaskOutcome::Cancelled { reason },
    }
}

/// The input as the module's own type. Unknown names are refused where the type denies them.
pub fn read<T: DeserializeOwned>(input: &Values) -> Result<T, Failure> {
    serde_json::from_value(serde_json::Value::Object(input.clone())).map_err(|error| {
        Failure::new(format!("the step's input cannot be read: {error}"))
            .means("the runbook hands this step something that it does not take; nothing was done")
            .next("mend the step's `with` in the runbook and make a new plan")
    })
}

/// An object literal as output values; anything else is no output.
pub fn values(value: serde_json::Value) -> Values {
    match value {
        serde_json::Value::Object(map) => map,
        _ => Values::new(),
    }
}
