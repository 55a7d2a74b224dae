//! A dump through several sessions: rows in chunks, indexes, foreign keys and statistics side by side, and everything
//! else in its order through `psql`.
//!
//! What was loaded is committed piece by piece. The side database counts as restored only after all of it was, and a
//! new attempt begins with an empty one.

use super::build::{Build, Stage};
use super::crew::{Crew, Piece, copy, make, with_statistics};
use super::order::{GONE, Order, played};
use super::parts::{Part, Splitter};
use super::psql::{self, Psql};
use super::text::Text;
use super::{Input, unfinished};
use crate::model::task::{Failure, Progress, Unit};
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::pg::connect::Session;
use crate::tasks::pg::script::{Inventory, Scanner};
use crate::tasks::process::{Ended, Feed};
use crate::tasks::progress::telling;
use futures::StreamExt;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Pieces of rows that wait for one session.
const IN_FLIGHT: usize = 4;
pub(super) const MEANS: &str = "the side database is not whole and will not be used; the live database was not touched";

/// How far the load is, for people.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<(u64, String)>>);

impl Told {
    fn lock(&self) -> std::sync::MutexGuard<'_, (u64, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, line: u64, note: String) {
        *self.lock() = (line, note);
    }
    fn line(&self) -> u64 {
        self.lock().0
    }
    fn note(&self) -> String {
        self.lock().1.clone()
    }
}

pub(super) async fn load(
    cx: &TaskContext,
    input: &Input,
    (text, psql): (Text<'_>, Psql),
    crew: Crew<'_>,
) -> Result<Inventory, Stop> {
    let (main, stream, marks) = Order::of(&psql)?;
    let (lines, told) = (main.lines.clone(), Told::default());
    let (working, busy) = (JoinSet::new(), HashMap::new());
    let mut work = Work { main, crew, working, busy, rows: None, waiting: Vec::new(), told: told.clone() };
    let loading = async {
        let splitter = Splitter::new(Scanner::without(input.without()));
        let loaded = work.all(text.feed, splitter).await;
        // The end of its input, which `psql` must not take for the end of the dump before.
        drop(work);
        loaded
    };
    let both = together(loading, played(cx, psql, stream, marks));
    let total = input.source.size_bytes;
    let look = || Progress { done: text.meter.bytes(), total: Some(total), unit: Unit::Bytes, note: told.note() };
    let (loaded, ended) = tokio::select! {
        biased;
        done = telling(cx, look, both) => done,
        stop = text.making => return Err(stop),
        reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
    };
    if let Some(ended) = ended {
        psql::explain(&ended?, |line| lines.in_dump(line), told.line(), MEANS)?;
    }
    loaded
}

/// Both to their ends. A load that fails ends `psql`, by whose own words it fails where that one has ended first.
async fn together(
    loading: impl Future<Output = Result<Inventory, Stop>>,
    playing: impl Future<Output = Result<Ended, Stop>>,
) -> (Result<Inventory, Stop>, Option<Result<Ended, Stop>>) {
    tokio::pin!(loading, playing);
    let gone = || Stop::Failed(Failure::new(GONE).means(MEANS).next("retry, or choose another backup"));
    tokio::select! {
        loaded = &mut loading => match loaded {
            Err(stop) if stop.what() != GONE => (Err(stop), None),
            loaded => (loaded, Some(playing.await)),
        },
        ended = &mut playing => (Err(gone()), Some(ended)),
    }
}

struct Work<'a> {
    main: Order,
    crew: Crew<'a>,
    working: JoinSet<(Result<(), Stop>, Session)>,
    /// Builds that are under way.
    busy: HashMap<tokio::task::Id, Build>,
    /// Of the chunk whose rows come now.
    rows: Option<mpsc::Sender<Piece>>,
    /// Builds that were not begun yet.
    waiting: Vec<Build>,
    told: Told,
}

impl Work<'_> {
    async fn all(&mut self, text: Feed, mut splitter: Splitter) -> Result<Inventory, Stop> {
        self.parts(text, &mut splitter).await?;
        Ok(splitter.into_scanner().inventory)
    }

    async fn parts(&mut self, mut text: Feed, splitter: &mut Splitter) -> Result<(), Stop> {
        let mut parts = Vec::new();
        while let Some(chunk) = text.next().await {
            splitter.push(chunk?, &mut parts)?;
            let scanner = splitter.scanner();
            let line = scanner.line_number();
            self.told
                .set(line, scanner.current_table().map_or(format!("line {line}"), |table| format!("rows of {table}")));
            for part in parts.drain(..) {
                self.part(part, splitter).await?;
            }
        }
        splitter.finish(&mut parts)?;
        if let Some(failure) = unfinished(splitter.scanner()) {
            return Err(failure.into());
        }
        for part in parts {
            self.part(part, splitter).await?;
        }
        // All that statistics are gathered of is there, and nothing of the dump comes after them.
        self.main.settle().await?;
        let session = self.spare().await?;
        let tables = with_statistics(&session).await?;
        self.crew.idle.push(session);
        let line = splitter.scanner().line_number();
        self.waiting.extend(tables.into_iter().map(|table| Build::analyse(table, line)));
        self.calm(splitter).await
    }

    async fn part(&mut self, part: Part, splitter: &Splitter) -> Result<(), Stop> {
        match part {
            Part::Text { sql, line, comment_only, ends } => {
                if !comment_only {
                    self.calm(splitter).await?;
                    self.main.dirty = true;
                }
                self.main.text(sql, line).await?;
                if ends { self.main.commit().await } else { Ok(()) }
            }
            Part::Chunk(chunk) => {
                self.main.settle().await?;
                let session = self.spare().await?;
                let (rows, pieces) = mpsc::channel(IN_FLIGHT);
                self.rows = Some(rows);
                self.working.spawn(async move { (copy(&session, &chunk, pieces).await, session) });
                Ok(())
            }
            Part::Rows(bytes) => self.piece(Piece::Rows(bytes)).await,
            Part::End(rows) => {
                self.piece(Piece::End(rows)).await?;
                self.rows = None;
                Ok(())
            }
            Part::Build(build) => {
                self.main.settle().await?;
                self.waiting.push(build);
                Ok(())
            }
        }
    }

    async fn piece(&mut self, piece: Piece) -> Result<(), Stop> {
        let sent = match &self.rows {
            Some(rows) => rows.send(piece).await.is_ok(),
            None => false,
        };
        if sent {
            return Ok(());
        }
        // Whoever took them has ended, and says why.
        self.rows = None;
        while !self.working.is_empty() {
            self.next_done().await?;
        }
        Err(Failure::new("a session of the load ended without a reason").means(MEANS).next("retry").into())
    }

    /// A session that has nothing to do.
    async fn spare(&mut self) -> Result<Session, Stop> {
        loop {
            if let Some(session) = self.crew.spare().await? {
                return Ok(session);
            }
            self.next_done().await?;
        }
    }

    async fn next_done(&mut self) -> Result<(), Stop> {
        let broken = |error: &dyn std::fmt::Display| Failure::new(format!("a task of the load broke: {error}"));
        match self.working.join_next_with_id().await {
            Some(Ok((id, (done, session)))) => {
                self.busy.remove(&id);
                self.crew.idle.push(session);
                done
            }
            Some(Err(error)) => Err(broken(&error).into()),
            None => Err(broken(&"nobody works, and no session is free").into()),
        }
    }

    /// Waits until every chunk is in and every build that was handed over is done.
    async fn calm(&mut self, splitter: &Splitter) -> Result<(), Stop> {
        let mut builds = std::mem::take(&mut self.waiting);
        let tables = &splitter.scanner().inventory.tables;
        let rows = |build: &Build| tables.get(build.table()).copied().flatten().unwrap_or(0);
        // The longest tables first.
        builds.sort_by_key(|build| (build.stage, std::cmp::Reverse(rows(build))));
        let (total, mut begun) = (builds.len(), 0);
        for round in Stage::ROUNDS {
            while !self.working.is_empty() {
                self.next_done().await?;
            }
            let (now, later) = builds.into_iter().partition(|build: &Build| round.contains(&build.stage));
            builds = later;
            let told = self.told.clone();
            self.round(now.into(), rows, |build| {
                begun += 1;
                let doing = if build.stage == Stage::Analyse { "gathering statistics," } else { "building" };
                told.set(build.line, format!("{doing} {begun} of {total}"));
            })
            .await?;
        }
        Ok(())
    }

    /// Builds side by side, as far as they let each other. `rows` tells how long one takes, compared with others.
    async fn round(
        &mut self,
        mut builds: VecDeque<Build>,
        rows: impl Fn(&Build) -> u64,
        mut begins: impl FnMut(&Build),
    ) -> Result<(), Stop> {
        // Statistics are taken of a sample, and need no helpers.
        let long = |build: &Build| if build.stage == Stage::Analyse { 0 } else { rows(build) };
        let mut waiting: u64 = builds.iter().map(long).sum();
        while !(builds.is_empty() && self.working.is_empty()) {
            let free = |build: &Build| !self.busy.values().any(|other| build.collides(other));
            let next = builds.iter().position(free);
            let ready = match next {
                Some(at) => self.crew.spare().await?.and_then(|session| Some((builds.remove(at)?, session))),
                None => None,
            };
            match ready {
                Some((build, session)) => {
                    begins(&build);
                    waiting -= long(&build);
                    let helpers = self.outlasts(long(&build), waiting + self.busy.values().map(long).sum::<u64>());
                    let task = build.clone();
                    let work = self.working.spawn(async move { (make(&session, &task, helpers).await, session) });
                    self.busy.insert(work.id(), build);
                }
                None => self.next_done().await?,
            }
        }
        Ok(())
    }

    /// Whether a build takes so long, compared with all others that are left, that sessions will have nothing to do: then
    /// the server's own processes may help it. Where they have, helpers are in their way, and cost more than they gain.
    fn outlasts(&self, rows: u64, of_others: u64) -> bool {
        let other_sessions = self.crew.most.saturating_sub(1) as u64;
        rows.saturating_mul(other_sessions) >= of_others.saturating_mul(2)
    }
}
