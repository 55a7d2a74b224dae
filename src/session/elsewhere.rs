//! Runs that other machines hold: listed and watched through the shared place, taken over or freed on request.

use super::follow::{Followed, Tell, Told};
use super::news::News;
use super::state::State;
use super::view::{Held, RunRow};
use crate::health::Severity;
use crate::journal::lease::Leases;
use crate::journal::mirror::Seen;
use crate::model::id::RunId;
use crate::runbook::RunStatus;
use crate::runner::elsewhere::{self, Elsewhere, Known, Takeover};
use crate::runner::spawn;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the mirror of a watched run is read.
const WATCH_EVERY: Duration = Duration::from_secs(3);
const UNSEEN: &str = "runs of other machines";

/// What is wanted of a run that another machine holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWish {
    /// Fence its holder off and bring it here.
    TakeOver,
    /// Let other runs have its lock: the run itself is lost.
    Free,
}

/// What a look at the shared place found.
pub(super) struct Looked {
    pub leases: Option<Leases>,
    pub known: Known,
    pub rows: Result<Vec<RunRow>, String>,
}

impl State {
    /// Looks at the shared place, unless there is none or the last look still goes on.
    pub fn list_away(&mut self) {
        let Some(place) = self.parts.leases.clone() else { return };
        if std::mem::replace(&mut self.listing_away, true) {
            return;
        }
        let (mut known, leases) = (std::mem::take(&mut self.away_known), self.leases.clone());
        let (now, news) = (self.now(), self.news.clone());
        tokio::spawn(async move {
            let opened = match leases {
                Some(leases) => Ok(leases),
                None => place.open().await,
            };
            let (leases, rows) = match opened {
                Err(why) => (None, Err(why)),
                Ok(leases) => {
                    let found = elsewhere::look(&leases, &mut known).await;
                    let rows = found.map(|all| all.iter().map(|one| row(one, now)).collect());
                    (Some(leases), rows.map_err(|error| error.to_string()))
                }
            };
            // The loop is gone only when the program ends.
            let _ = news.send(News::Away(Box::new(Looked { leases, known, rows }))).await;
        });
    }

    pub fn away_listed(&mut self, looked: Looked) {
        self.listing_away = false;
        self.leases = looked.leases.or(self.leases.take());
        self.away_known = looked.known;
        match looked.rows {
            Ok(rows) => {
                self.away = rows;
                self.notices.cleared(UNSEEN);
                self.show_runs();
            }
            // What was seen last stays on screen, with its age.
            Err(why) => self.stands(
                UNSEEN,
                Severity::Unknown,
                &format!("Runs of other machines were not seen: {why}."),
                "`relight doctor` puts the shared place to the test.",
            ),
        }
    }

    /// Watches a run that another machine holds through its mirror.
    pub(super) fn watch(&mut self, run: RunId) {
        let Some(leases) = self.leases.clone() else { return };
        let tell = Tell { run: run.clone(), news: self.news.clone() };
        let id = run.clone();
        let follower = tokio::spawn(async move {
            let mut seen = Seen::default();
            loop {
                let told = match seen.copy(&**leases.place(), &id).await {
                    Ok(copied) => Told::Mirrored(copied.events),
                    Err(error) => Told::Unseen(error.to_string()),
                };
                if !tell.one(told).await {
                    return;
                }
                tokio::time::sleep(WATCH_EVERY).await;
            }
        });
        self.followed = Some(Followed::of(run, follower.abort_handle()));
    }

    pub fn lock(
        &mut self,
        run: RunId,
        wish: LockWish,
        (reason, alive): (String, bool),
        answer: oneshot::Sender<Result<(), String>>,
    ) {
        let (place, leases) = (self.parts.leases.clone(), self.leases.clone());
        let (state_dir, config) = (self.parts.state_dir.clone(), self.parts.config_path.clone());
        let (clock, by, news) = (Arc::clone(&self.parts.clock), self.parts.actor.clone(), self.news.clone());
        tokio::spawn(async move {
            let done = async {
                let leases = match (leases, place) {
                    (Some(leases), _) => leases,
                    (None, Some(place)) => place.open().await?,
                    (None, None) => return Err("no shared place is configured".to_owned()),
                };
                match wish {
                    LockWish::TakeOver => {
                        let wish = Takeover { run: &run, by: &by, reason: &reason, alive, config: &config };
                        let taken = elsewhere::take_over(&leases, &state_dir, &wish, clock.now()).await;
                        let folder = taken.map_err(|error| error.to_string())?;
                        spawn::start(&folder, &state_dir).await.map_err(|error| error.to_string())
                    }
                    LockWish::Free => {
                        let freed = elsewhere::free(&leases, &state_dir, (&run, &by, &reason), alive).await;
                        freed.map(|_| ()).map_err(|error| error.to_string())
                    }
                }
            };
            let done = done.await;
            if done.is_ok() {
                let _ = news.send(News::Locked { run, wish }).await;
            }
            // Who asked may have closed the dialog; the lists show what became of it.
            let _ = answer.send(done);
        });
    }

    pub fn locked(&mut self, run: RunId, wish: LockWish) {
        self.away.retain(|row| row.id != run);
        self.show_runs();
        self.list_runs();
        self.list_away();
        if wish == LockWish::TakeOver {
            self.open_run(run);
        }
    }
}

fn row(one: &Elsewhere, now: crate::model::time::Timestamp) -> RunRow {
    let lease = &one.lease;
    let unreadable = one.state.as_ref().err().cloned();
    let held = Held { lease: lease.clone(), seen_at: now, unreadable, copy_here: false };
    let silent = held.is_silent();
    match &one.state {
        Ok(state) => {
            let word = match &state.status {
                // Not for whoever watches.
                RunStatus::Waiting => "waiting",
                other => other.word(),
            };
            let word = if silent { "its runner is silent" } else { word };
            RunRow {
                id: lease.run.clone(),
                title: state.plan.title.clone(),
                mode: state.plan.mode.to_string(),
                status: format!("away: {word}"),
                needs_operator: silent,
                driven: false,
                over: state.status.is_over(),
                created_at: state.created_at,
                operator: state.operator.clone(),
                decide_by: None,
                owes: Vec::new(),
                held: Some(held),
            }
        }
        Err(_) => RunRow {
            id: lease.run.clone(),
            title: lease.scope.clone(),
            mode: String::new(),
            status: "away: mirror lost".to_owned(),
            needs_operator: true,
            driven: false,
            over: false,
            created_at: lease.acquired_at,
            operator: lease.holder.clone(),
            decide_by: None,
            owes: Vec::new(),
            held: Some(held),
        },
    }
}
