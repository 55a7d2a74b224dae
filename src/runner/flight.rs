//! A task in flight, seen from outside: when it is told to stop, when it is given up, and the ends that it does
//! not tell itself. Whoever asks says what time it is, so that a simulation asks the same.

use crate::event::Purpose;
use crate::model::task::{Failure, Reality, TaskOutcome};
use crate::runbook::state::End;
use std::ops::Add;
use std::time::Duration;

/// A cancelled task that has not stopped by then is cut off.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// What the limits of a task lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Its time is over: the engine is told, once, and has it stopped.
    Deadline,
    /// It did not stop, and is waited for no longer.
    CutOff,
}

#[derive(Clone, Debug)]
pub struct Limits<T> {
    deadline: T,
    /// Whether the engine was told that the deadline passed.
    late: bool,
    cut_off_at: Option<T>,
}

impl<T: Copy + Ord + Add<Duration, Output = T>> Limits<T> {
    pub fn new(now: T, timeout: Duration) -> Self {
        Self { deadline: now + timeout, late: false, cut_off_at: None }
    }

    /// The task was told to stop; being told again gives it no more time.
    pub fn told_to_stop(&mut self, now: T) {
        self.cut_off_at.get_or_insert(now + PATIENCE);
    }

    /// When something must happen without the task's doing.
    pub fn next_alarm(&self) -> Option<T> {
        self.cut_off_at.or_else(|| (!self.late).then_some(self.deadline))
    }

    /// What must happen now.
    pub fn ring(&mut self, now: T) -> Option<Alarm> {
        if self.next_alarm().is_none_or(|at| at > now) {
            return None;
        }
        if self.cut_off_at.is_some() {
            return Some(Alarm::CutOff);
        }
        self.late = true;
        Some(Alarm::Deadline)
    }
}

/// The end of a task that does not stop: nobody knows what it did last.
pub fn cut_off(purpose: Purpose) -> End {
    unknown(&format!("it did not stop within {} s of being told to", PATIENCE.as_secs()), purpose)
}

/// The end of a task whose teller vanished.
pub fn lost(purpose: Purpose) -> End {
    unknown("the task vanished without an end", purpose)
}

pub fn broke_down(purpose: Purpose) -> End {
    unknown("the task broke down; the log has its last words", purpose)
}

/// The end of a task before which the lease could not be proved.
pub fn never_started(why: &str) -> End {
    let failure = Failure::new(format!("it was not started: {why}"))
        .means("nothing was changed by it; this run may not hold its lock any more")
        .next("see who holds the lock with `relight runs`");
    End::Task(TaskOutcome::Failed { failure })
}

pub fn no_module(name: &str, purpose: Purpose) -> End {
    let failure = Failure::new(format!("there is no task module `{name}` in this version"))
        .means("nothing was started")
        .next("resume the run with the version that made its plan");
    if looks(purpose) { End::Look(Reality::Unknown(failure)) } else { End::Task(TaskOutcome::Failed { failure }) }
}

pub fn looks(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Reconcile | Purpose::ReconcileUndo)
}

fn unknown(what: &str, purpose: Purpose) -> End {
    let failure = Failure::new(what)
        .means("whether it took effect is not known")
        .next("let the world be looked at before anything is tried again");
    if looks(purpose) { End::Look(Reality::Unknown(failure)) } else { End::Task(TaskOutcome::Unknown { failure }) }
}
