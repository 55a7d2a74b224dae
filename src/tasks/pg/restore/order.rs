//! The session that keeps the order: a `psql` that is given one piece of a dump after another, and says how far it is.
//!
//! It is always in a transaction: what works on more than one database (`DROP DATABASE`, `ALTER SYSTEM`) is refused by
//! the server there.

use super::psql::{self, Psql};
use crate::model::task::Failure;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::process::{self, Ended, Feed, Output};
use bytes::Bytes;
use futures::StreamExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;

/// Pieces of SQL that wait for it.
const IN_FLIGHT: usize = 4;

/// `psql` to its end, with an ear for the marks that it was asked to say.
pub async fn played(cx: &TaskContext, psql: Psql, stream: Feed, marks: Marks) -> Result<Ended, Stop> {
    let mut line = Vec::new();
    let mut take = |chunk: &[u8]| {
        for &byte in chunk {
            if byte == b'\n' {
                marks.heard(&line);
                line.clear();
            } else if line.len() < 256 {
                line.push(byte);
            }
        }
        Ok(())
    };
    let input = process::Input { stream, whole: true };
    process::run(psql.program, Some(input), Output::Chunks(&mut take), cx).await
}

/// Why a load stopped that `psql` no longer listened to.
pub const GONE: &str = "psql ended before the dump did";

/// Where a line of what `psql` was given stands in the dump: the first lines of the pieces, in both.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<(u64, u64)>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn in_dump(&self, line: u64) -> u64 {
        let pieces = self.lock();
        let at = pieces.partition_point(|(given, _)| *given <= line);
        at.checked_sub(1).and_then(|at| pieces.get(at)).map_or(line, |(given, dump)| dump + (line - given))
    }
}

/// Hears how far `psql` is.
pub struct Marks {
    key: String,
    reached: watch::Sender<u64>,
}

impl Marks {
    fn heard(&self, line: &[u8]) {
        let said = std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix(&self.key)?.trim().parse().ok());
        if let Some(mark) = said {
            self.reached.send_replace(mark);
        }
    }
}

/// The session that keeps the order.
pub struct Order {
    to: mpsc::Sender<Result<Bytes, Failure>>,
    /// Around a command of ours, and the secret by which its answer is known.
    open: String,
    closed: String,
    key: String,
    given: u64,
    pub lines: Lines,
    asked: u64,
    reached: watch::Receiver<u64>,
    /// Something was handed over since the last mark that others may build on.
    pub dirty: bool,
}

impl Order {
    pub fn of(psql: &Psql) -> Result<(Self, Feed, Marks), Failure> {
        let (to, from) = mpsc::channel(IN_FLIGHT);
        let (heard, reached) = watch::channel(0);
        let key = psql::random()?;
        let (open, closed) = (psql.open(), psql.closed());
        let first = futures::stream::once(futures::future::ready(Ok(Bytes::from(closed.clone()))));
        let marks = Marks { key: key.clone(), reached: heard };
        let main = Self { to, open, closed, key, given: 1, lines: Lines::default(), asked: 0, reached, dirty: false };
        Ok((main, first.chain(ReceiverStream::new(from)).boxed(), marks))
    }

    async fn give(&mut self, sql: Bytes) -> Result<(), Stop> {
        self.given += memchr::memchr_iter(b'\n', &sql).count() as u64;
        self.to.send(Ok(sql)).await.map_err(|_| Stop::Failed(Failure::new(GONE)))
    }

    pub async fn text(&mut self, sql: Bytes, line: u64) -> Result<(), Stop> {
        self.lines.lock().push((self.given + 1, line));
        self.give(sql).await
    }

    /// Ends the transaction, so that not all locks of a large schema are held to its end, and begins another.
    pub async fn commit(&mut self) -> Result<(), Stop> {
        self.give("\nCOMMIT;\nBEGIN;\n".into()).await
    }

    /// Waits until all that was handed over is done, and seen by others.
    pub async fn settle(&mut self) -> Result<(), Stop> {
        if !std::mem::take(&mut self.dirty) {
            return Ok(());
        }
        self.asked += 1;
        let (open, closed) = (&self.open, &self.closed);
        self.give(format!("\nCOMMIT;\n{open}\\echo {} {}\n{closed}BEGIN;\n", self.key, self.asked).into()).await?;
        let asked = self.asked;
        let reached = self.reached.wait_for(|mark| *mark >= asked).await;
        reached.map(drop).map_err(|_| Stop::Failed(Failure::new(GONE)))
    }
}
