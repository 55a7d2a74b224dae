//! What a frontend holds: it asks, and it reads the view.

use super::elsewhere::LockWish;
use super::view::View;
use crate::checklist::Outcome;
use crate::model::id::{BackupId, RunId, RunbookId, StoreId};
use crate::model::proof::Level;
use crate::model::task::Values;
use crate::runbook::{Intent, Mode, Plan};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// A frontend's wish.
#[derive(Debug)]
pub enum Request {
    /// Scan all stores again, or one.
    Rescan {
        store: Option<StoreId>,
    },
    /// Raise the proof of a backup; runs as a task of the session.
    Verify {
        backup: BackupId,
        level: Level,
        store: Option<StoreId>,
    },
    CancelTask {
        task: u64,
    },
    /// Leave read-only mode for this long, with a reason for the journal.
    Arm {
        reason: String,
        incident: Option<String>,
        span: Duration,
    },
    Disarm,
    /// Resolve everything a runbook needs. The answer is the plan, or every problem, one per line.
    MakePlan {
        runbook: RunbookId,
        params: Values,
        mode: Mode,
        answer: oneshot::Sender<Result<Plan, Vec<String>>>,
    },
    /// The plan of the open run anew, with other values of some parameters, for another point.
    AnotherPlan {
        params: Values,
        answer: oneshot::Sender<Result<Plan, Vec<String>>>,
    },
    /// Start a runner for this plan, exactly as shown; the run then waits for `Intent::Start`.
    StartRun {
        plan: Box<Plan>,
        answer: oneshot::Sender<Result<RunId, String>>,
    },
    /// Follow a run; it becomes `View::open_run`.
    OpenRun {
        run: RunId,
    },
    /// Bring back the runner of a run whose runner died.
    ResumeRun {
        run: RunId,
    },
    CloseRun,
    /// Take a run over that another machine holds, or free its lock. The answer says why it was refused.
    Lock {
        run: RunId,
        wish: LockWish,
        reason: String,
        /// Also while its lease has not expired.
        alive: bool,
        answer: oneshot::Sender<Result<(), String>>,
    },
    /// An intent for the open run. The answer says why it was refused.
    Intent {
        intent: Intent,
        answer: oneshot::Sender<Result<(), String>>,
    },
    /// A person's answer to an item of a checklist.
    AnswerItem {
        checklist: String,
        item: String,
        outcome: Outcome,
        text: String,
    },
    /// Forget a notice that was read.
    Dismiss {
        notice: u64,
    },
    Quit,
}

#[derive(Clone, Debug)]
pub struct SessionHandle {
    pub requests: mpsc::Sender<Request>,
    /// Latest view; changes only when something that can be shown changed.
    pub view: watch::Receiver<Arc<View>>,
}
