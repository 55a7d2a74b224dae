//! The loop: it owns all state, waits for whatever comes first, and publishes a view when something
//! that can be seen has changed.
//!
//! Order within a turn: one thing is waited for, everything else that has already arrived is taken
//! too, then one view is drawn up. Nothing in here waits for a store, a disk or a runner.

use super::handle::{Request, SessionHandle};
use super::news::News;
use super::parts::Parts;
use super::scan::Extent;
use super::state::State;
use super::view::View;
use crate::health::Severity;
use crate::model::task::TaskOutcome;
use crate::tasks::Supervisor;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often progress of running work is taken over.
const GATHER_EVERY: Duration = Duration::from_millis(120);
/// How often clocks are looked at: the end of the armed time, the next judgement, the next scan.
const BEAT: Duration = Duration::from_secs(1);
/// Ages move: the catalog is judged again this often without any scan.
const JUDGE_EVERY: Duration = Duration::from_mins(1);
/// How often the runs folder is looked at.
const RUNS_EVERY: Duration = Duration::from_secs(2);
/// How often the shared place is asked who holds what.
const AWAY_EVERY: Duration = Duration::from_secs(10);
/// How long running work may take to stop when the console closes.
const DRAIN: Duration = Duration::from_secs(3);

/// A session that runs, and the end to wait for.
#[derive(Debug)]
pub struct Session {
    pub handle: SessionHandle,
    /// Ends once every task of the session has stopped; after [`Request::Quit`], or when all handles
    /// are gone.
    pub done: JoinHandle<()>,
}

/// Starts a session: the remembered catalog appears at once, a scan of all stores follows.
pub fn start(parts: Parts) -> Session {
    let (requests, inbox) = mpsc::channel(64);
    let (news, arrivals) = mpsc::channel(256);
    let (tasks, ends) = Supervisor::new();
    let mut state = State::new(parts, tasks, news);
    let (out, view) = watch::channel(Arc::new(state.view.clone()));
    state.recall_armed();
    for note in state.parts.notes.clone() {
        state.tell(Severity::Warning, &note, "");
    }
    state.publish(&out);
    let channels = Channels { inbox, arrivals, ends, out };
    let done = tokio::spawn(drive(state, channels));
    Session { handle: SessionHandle { requests, view }, done }
}

struct Channels {
    inbox: mpsc::Receiver<Request>,
    arrivals: mpsc::Receiver<News>,
    ends: mpsc::UnboundedReceiver<(u64, TaskOutcome)>,
    out: watch::Sender<Arc<View>>,
}

/// Something that the loop waited for.
enum Arrival {
    Request(Request),
    News(News),
    End(u64, TaskOutcome),
    Gather,
    Beat,
    LookAtRuns,
    LookAway,
    Closed,
}

async fn drive(mut state: State, mut channels: Channels) {
    state.remember();
    let mut gather = ticks(GATHER_EVERY);
    let mut beat = ticks(BEAT);
    let mut runs = ticks(RUNS_EVERY);
    let mut away = ticks(AWAY_EVERY);
    let mut judged = Instant::now();
    loop {
        let arrival = tokio::select! {
            request = channels.inbox.recv() => request.map_or(Arrival::Closed, Arrival::Request),
            Some(news) = channels.arrivals.recv() => Arrival::News(news),
            Some((id, outcome)) = channels.ends.recv() => Arrival::End(id, outcome),
            _ = gather.tick(), if state.tasks.running() > 0 => Arrival::Gather,
            _ = runs.tick() => Arrival::LookAtRuns,
            _ = away.tick() => Arrival::LookAway,
            _ = beat.tick() => Arrival::Beat,
        };
        match arrival {
            Arrival::Closed | Arrival::Request(Request::Quit) => break,
            Arrival::Request(request) => state.request(request),
            Arrival::News(news) => state.news(news),
            Arrival::End(id, outcome) => state.ended(id, outcome),
            Arrival::Gather => state.gather(),
            Arrival::LookAtRuns => state.list_runs(),
            Arrival::LookAway => state.list_away(),
            Arrival::Beat => {
                state.beat();
                if judged.elapsed() >= JUDGE_EVERY {
                    judged = Instant::now();
                    state.judge();
                }
            }
        }
        // News first, so that a task's result is there before its end is shown.
        while let Ok(news) = channels.arrivals.try_recv() {
            state.news(news);
        }
        while let Ok((id, outcome)) = channels.ends.try_recv() {
            state.ended(id, outcome);
        }
        state.publish(&channels.out);
    }
    // Work that stops may still want to send what it found.
    drop(channels.arrivals);
    state.tasks.drain(DRAIN).await;
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

impl State {
    /// Takes over what running work has said.
    fn gather(&mut self) {
        if self.tasks.gather() {
            self.touch();
        }
        self.gather_scan();
    }

    /// What moves with the clock alone.
    fn beat(&mut self) {
        self.check_armed();
        let every = chrono::Duration::from_std(self.parts.rescan_every).unwrap_or(chrono::Duration::MAX);
        if self.scanning.is_none() && self.last_full_scan.is_some_and(|last| self.now() - last >= every) {
            self.scan(Extent::All);
        }
    }
}
