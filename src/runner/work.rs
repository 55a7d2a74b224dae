//! The task in flight: started for an order, stopped on order, its end told once.

use super::folder::RunFolder;
use super::ground::Ground;
use super::keeper::Keeper;
use crate::event::Purpose;
use crate::model::id::StepId;
use crate::model::task::{CancelReason, Failure, Progress, Reality, TaskOutcome, TaskSpec, Values};
use crate::runbook::Mode;
use crate::runbook::state::End;
use crate::tasks::{Cancel, Module, TaskContext, TaskFeed, production};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// A cancelled task that has not stopped by then is cut off.
const PATIENCE: Duration = Duration::from_secs(45);
/// Output lines that wait to be shown; more than that in one go are left out, the work is never held up.
const LINES: usize = 2048;

pub struct Work {
    pub step: StepId,
    pub attempt: u32,
    pub purpose: Purpose,
    pub deadline: Instant,
    /// Whether the engine was told that the deadline passed.
    pub late: bool,
    pub progress: watch::Receiver<Progress>,
    pub lines: mpsc::Receiver<String>,
    pub ended: oneshot::Receiver<End>,
    cancel: Cancel,
    abort: AbortHandle,
    cut_off_at: Option<Instant>,
}

impl Work {
    pub fn start(
        ground: &Ground,
        folder: &RunFolder,
        (step, attempt, purpose): (StepId, u32, Purpose),
        task: TaskSpec,
        (timeout, mode, guard): (Duration, Mode, Option<Keeper>),
    ) -> Self {
        let (feed, progress, lines) = TaskFeed::new(LINES);
        let cancel = Cancel::default();
        let cx = ground.to_run(folder, step.as_str(), feed, cancel.clone());
        let module = ground.modules.get(&task.module).cloned();
        let (tell, ended) = oneshot::channel();
        let handle = tokio::spawn(async move {
            let looks = matches!(purpose, Purpose::Reconcile | Purpose::ReconcileUndo);
            let work = async {
                if let Some(why) = unproved(guard).await {
                    return never_started(&why);
                }
                match module {
                    None => no_module(&task.module, looks),
                    Some(module) if looks => End::Look(look(&cx, &*module, &task.input, mode).await),
                    Some(module) => End::Task(act(&cx, &*module, &task.input, mode).await),
                }
            };
            let end = futures::FutureExt::catch_unwind(AssertUnwindSafe(work)).await;
            // The runner may have gone meanwhile; then the journal tells the next one to look.
            let _ =
                tell.send(end.unwrap_or_else(|_| unknown("the task broke down; the log has its last words", looks)));
        });
        Self {
            step,
            attempt,
            purpose,
            deadline: Instant::now() + timeout,
            late: false,
            progress,
            lines,
            ended,
            cancel,
            abort: handle.abort_handle(),
            cut_off_at: None,
        }
    }

    pub fn cancel(&mut self, reason: CancelReason) {
        self.cancel.cancel(reason);
        self.cut_off_at.get_or_insert(Instant::now() + PATIENCE);
    }

    /// When something must happen without the task's doing.
    pub fn next_alarm(&self) -> Instant {
        match self.cut_off_at {
            Some(at) => at,
            None if self.late => Instant::now() + PATIENCE,
            None => self.deadline,
        }
    }

    /// Whether the task was told to stop and did not.
    pub fn is_stuck(&self) -> bool {
        self.cut_off_at.is_some_and(|at| at <= Instant::now())
    }

    /// The end of a task that does not stop: nobody knows what it did last.
    pub fn cut_off(&self) -> End {
        self.abort.abort();
        let looks = matches!(self.purpose, Purpose::Reconcile | Purpose::ReconcileUndo);
        unknown(&format!("it did not stop within {} s of being told to", PATIENCE.as_secs()), looks)
    }

    /// The end of a task whose teller vanished.
    pub fn lost(&self) -> End {
        unknown("the task vanished without an end", matches!(self.purpose, Purpose::Reconcile | Purpose::ReconcileUndo))
    }

    pub fn take_lines(&mut self) -> Vec<String> {
        let mut taken = Vec::new();
        while let Ok(line) = self.lines.try_recv() {
            taken.push(line);
        }
        taken
    }
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

/// Why the lease under which the task would start is not certainly held.
async fn unproved(guard: Option<Keeper>) -> Option<String> {
    guard?.prove().await.err()
}

fn never_started(why: &str) -> End {
    let failure = Failure::new(format!("it was not started: {why}"))
        .means("nothing was changed by it; this run may not hold its lock any more")
        .next("see who holds the lock with `relight runs`");
    End::Task(TaskOutcome::Failed { failure })
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

fn unknown(what: &str, looks: bool) -> End {
    let failure = Failure::new(what)
        .means("whether it took effect is not known")
        .next("let the world be looked at before anything is tried again");
    if looks { End::Look(Reality::Unknown(failure)) } else { End::Task(TaskOutcome::Unknown { failure }) }
}

fn no_module(name: &str, looks: bool) -> End {
    let failure = Failure::new(format!("there is no task module `{name}` in this version"))
        .means("nothing was started")
        .next("resume the run with the version that made its plan");
    if looks { End::Look(Reality::Unknown(failure)) } else { End::Task(TaskOutcome::Failed { failure }) }
}
