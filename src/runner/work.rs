//! A task in flight: started for an order, stopped on order, its end told once.

use super::bond::Guard;
use super::crew::Turn;
use super::flight::{self, Alarm, Limits};
use super::folder::RunFolder;
use super::ground::Ground;
use super::protocol::FromRunner;
use crate::event::Purpose;
use crate::model::id::StepId;
use crate::model::task::{CancelReason, Progress, Reality, TaskOutcome, TaskSpec, Values};
use crate::runbook::Mode;
use crate::runbook::probe::Watch;
use crate::runbook::state::End;
use crate::tasks::input::{settle, values};
use crate::tasks::{Cancel, Module, Shelf, Table, TaskContext, TaskFeed, probes, production, watching};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Output lines that wait to be shown; more than that in one go are left out, the work is never held up.
const LINES: usize = 2048;

pub struct Work {
    pub step: StepId,
    pub attempt: u32,
    pub purpose: Purpose,
    pub progress: watch::Receiver<Progress>,
    pub lines: mpsc::Receiver<String>,
    pub ended: oneshot::Receiver<End>,
    /// The condition that was seen on which it stops; nothing comes twice.
    pub stops: Option<oneshot::Receiver<String>>,
    cancel: Cancel,
    abort: AbortHandle,
    limits: Limits<Instant>,
}

impl Work {
    pub fn start(
        ground: &Ground,
        folder: &RunFolder,
        (step, attempt, purpose): Turn,
        task: TaskSpec,
        (timeout, mode, guard, shelf): (Duration, Mode, Option<Guard>, Shelf),
        stop_if: Option<Watch>,
    ) -> Self {
        let (feed, progress, lines) = TaskFeed::new(LINES);
        let cancel = Cancel::default();
        let cx = ground.to_run(folder, step.as_str(), shelf, (feed, cancel.clone()));
        let modules = ground.modules.clone();
        let (tell, ended) = oneshot::channel();
        let (stop, stops) = oneshot::channel();
        let handle = tokio::spawn(async move {
            let work = async {
                if let Some(why) = unproved(guard).await {
                    return flight::never_started(&why);
                }
                if purpose == Purpose::Verify {
                    return End::Task(probes::hold(&cx, &modules, &task.input).await);
                }
                match modules.get(&task.module) {
                    None => flight::no_module(&task.module, purpose),
                    Some(module) if purpose == Purpose::Count => End::Task(count(&cx, &**module, &task.input).await),
                    Some(module) if flight::looks(purpose) => End::Look(look(&cx, &**module, &task.input, mode).await),
                    Some(module) => {
                        let work = act(&cx, &**module, &task.input, mode);
                        End::Task(watched(&cx, &modules, work, stop_if.as_ref(), stop).await)
                    }
                }
            };
            let end = futures::FutureExt::catch_unwind(AssertUnwindSafe(work)).await;
            // The runner may have gone meanwhile; then the journal tells the next one to look.
            let _ = tell.send(end.unwrap_or_else(|_| flight::broke_down(purpose)));
        });
        Self {
            step,
            attempt,
            purpose,
            progress,
            lines,
            ended,
            stops: Some(stops),
            cancel,
            abort: handle.abort_handle(),
            limits: Limits::new(Instant::now(), timeout),
        }
    }

    pub fn turn(&self) -> Turn {
        (self.step.clone(), self.attempt, self.purpose)
    }

    pub fn cancel(&mut self, reason: CancelReason) {
        self.cancel.cancel(reason);
        self.limits.told_to_stop(Instant::now());
    }

    pub fn next_alarm(&self) -> Option<Instant> {
        self.limits.next_alarm()
    }

    pub fn ring(&mut self) -> Option<Alarm> {
        self.limits.ring(Instant::now())
    }

    /// The end of a task that does not stop.
    pub fn cut_off(&self) -> End {
        self.abort.abort();
        flight::cut_off(self.purpose)
    }

    pub fn lost(&self) -> End {
        flight::lost(self.purpose)
    }

    /// What it has told since the last time: progress and lines of output.
    pub fn news(&mut self) -> Option<FromRunner> {
        let changed = self.progress.has_changed().is_ok_and(|changed| changed);
        let progress = changed.then(|| self.progress.borrow_and_update().clone());
        let lines: Vec<String> = std::iter::from_fn(|| self.lines.try_recv().ok()).collect();
        let step = self.step.clone();
        (progress.is_some() || !lines.is_empty()).then_some(FromRunner::Live { step, progress, lines })
    }
}

/// What the work would touch, as an output.
async fn count(cx: &TaskContext, module: &dyn Module, input: &Values) -> TaskOutcome {
    settle(module.count(cx, input).await.map(|amount| values(serde_json::to_value(amount).unwrap_or_default())))
}

/// In a drill the wall is looked at in the same second as the act: addresses and links may lead elsewhere by now.
async fn act(cx: &TaskContext, module: &dyn Module, input: &Values, mode: Mode) -> TaskOutcome {
    if mode == Mode::Drill
        && let Err(failure) = production::refuse(cx, module, input).await
    {
        return TaskOutcome::Failed { failure };
    }
    module.run(cx, input).await
}

/// The work under the eyes of what stops it. Whoever hears that a condition is met tells the work to stop.
async fn watched(
    cx: &TaskContext,
    modules: &Table,
    work: impl Future<Output = TaskOutcome>,
    stop_if: Option<&Watch>,
    stop: oneshot::Sender<String>,
) -> TaskOutcome {
    let Some(watch) = stop_if else { return work.await };
    if let Some(failure) = watching::forbids(cx, modules, watch).await {
        return TaskOutcome::Failed { failure };
    }
    tokio::select! {
        biased;
        outcome = work => outcome,
        () = watching::watch(cx, modules, watch, stop) => std::future::pending().await,
    }
}

/// Why the lease under which the task would start is not certainly held.
async fn unproved(guard: Option<Guard>) -> Option<String> {
    guard?.prove().await.err()
}

/// A look may finish what it finds begun: it has the same wall before it.
async fn look(cx: &TaskContext, module: &dyn Module, input: &Values, mode: Mode) -> Reality {
    if mode == Mode::Drill
        && let Err(failure) = production::refuse(cx, module, input).await
    {
        return Reality::Unknown(failure);
    }
    module.reconcile(cx, input).await
}
