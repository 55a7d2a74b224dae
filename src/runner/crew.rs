//! The tasks in flight together: which of them ends, must stop, or runs out of time first.

use super::flight::Alarm;
use super::work::Work;
use crate::event::Purpose;
use crate::model::id::StepId;
use crate::model::task::CancelReason;
use crate::runbook::state::End;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Which attempt of which step a task works for, and to what end.
pub type Turn = (StepId, u32, Purpose);

/// What one of them tells.
pub enum Told {
    Ended(Box<Work>, End),
    /// The condition was seen on which it stops.
    Stops(Turn, String),
}

/// What the limits of one of them lead to.
pub enum Rung {
    Deadline(Turn),
    CutOff(Box<Work>, End),
}

#[derive(Default)]
pub struct Crew(Vec<Work>);

impl Crew {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn join(&mut self, work: Work) {
        self.0.push(work);
    }

    pub fn each(&mut self) -> impl Iterator<Item = &mut Work> {
        self.0.iter_mut()
    }

    pub fn cancel(&mut self, step: &StepId, reason: CancelReason) {
        for work in self.0.iter_mut().filter(|work| &work.step == step) {
            work.cancel(reason);
        }
    }

    pub fn cancel_all(&mut self, reason: CancelReason) {
        for work in &mut self.0 {
            work.cancel(reason);
        }
    }

    /// What one of them tells next, an end before anything else; waits for ever while there is none.
    pub async fn next(&mut self) -> Told {
        let (at, told) = poll_fn(|cx| {
            for (at, work) in self.0.iter_mut().enumerate() {
                if let Poll::Ready(end) = Pin::new(&mut work.ended).poll(cx) {
                    return Poll::Ready((at, Ok(end.ok())));
                }
            }
            for (at, work) in self.0.iter_mut().enumerate() {
                if let Poll::Ready(Ok(why)) = poll_once(&mut work.stops, cx) {
                    return Poll::Ready((at, Err(why)));
                }
            }
            Poll::Pending
        })
        .await;
        match told {
            Ok(end) => {
                let work = self.0.remove(at);
                let end = end.unwrap_or_else(|| work.lost());
                Told::Ended(Box::new(work), end)
            }
            Err(why) => Told::Stops(self.0[at].turn(), why),
        }
    }

    pub fn next_alarm(&self) -> Option<Instant> {
        self.0.iter().filter_map(Work::next_alarm).min()
    }

    /// What must happen now to one of them.
    pub fn ring(&mut self) -> Option<Rung> {
        let (at, alarm) = self.0.iter_mut().enumerate().find_map(|(at, work)| Some((at, work.ring()?)))?;
        Some(match alarm {
            Alarm::Deadline => Rung::Deadline(self.0[at].turn()),
            Alarm::CutOff => {
                let work = self.0.remove(at);
                let end = work.cut_off();
                Rung::CutOff(Box::new(work), end)
            }
        })
    }

    /// Those that did not stop when they were told to, each with its end.
    pub fn cut_off(&mut self) -> Vec<(Work, End)> {
        let cut_off = |work: Work| {
            let end = work.cut_off();
            (work, end)
        };
        self.0.drain(..).map(cut_off).collect()
    }
}

/// What is told at most once is not asked for again.
fn poll_once<T>(
    seen: &mut Option<oneshot::Receiver<T>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, oneshot::error::RecvError>> {
    let Some(waits) = seen else { return Poll::Pending };
    let told = Pin::new(waits).poll(cx);
    if told.is_ready() {
        *seen = None;
    }
    told
}
