//! The line between one process and the shared place: cut, slow, or standing still with its process.

use crate::dice::Dice;
use crate::plans::epoch;
use crate::shared::{Pool, error};
use bytes::Bytes;
use relight::model::time::{Clock, Timestamp};
use relight::stores::place::{Register, SharedPlace, Tag};
use relight::stores::{StoreError, StoreErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The time of the paused runtime as a clock on the wall of one machine.
#[derive(Debug)]
pub struct Watch {
    began: Instant,
    /// How much it is fast, in milliseconds.
    fast: i64,
}

impl Watch {
    pub fn start() -> Self {
        Self { began: Instant::now(), fast: 0 }
    }
    /// The clock of another machine.
    pub fn elsewhere(&self, fast: i64) -> Self {
        Self { fast, ..*self }
    }
    pub fn mono(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        epoch() + chrono::Duration::from_std(self.mono()).unwrap() + chrono::Duration::milliseconds(self.fast)
    }
}

/// How a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// Stopped by a signal: nothing of it goes on until it is told to.
    Stopped,
    Dead,
}

#[derive(Clone, Debug)]
pub struct Wire {
    pool: Arc<Pool>,
    gate: watch::Receiver<Gate>,
    /// The whole machine is without its network.
    cut: Arc<AtomicBool>,
    /// Of a hundred requests, how many take long.
    slow: Arc<AtomicU64>,
    dice: Arc<Mutex<Dice>>,
}

/// Goes on while the process does; one that is dead never does.
pub async fn pass(gate: &watch::Receiver<Gate>) {
    let mut gate = gate.clone();
    if gate.wait_for(|gate| *gate == Gate::Open).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Wire {
    pub fn new(
        pool: Arc<Pool>,
        gate: watch::Receiver<Gate>,
        (cut, slow): (Arc<AtomicBool>, Arc<AtomicU64>),
        dice: Dice,
    ) -> Self {
        Self { pool, gate, cut, slow, dice: Arc::new(Mutex::new(dice)) }
    }

    fn is_cut(&self, name: &str) -> Result<(), StoreError> {
        if self.cut.load(Ordering::Relaxed) { Err(error(StoreErrorKind::Unreachable, name)) } else { Ok(()) }
    }

    /// A request that is under way is done by the server, whether or not anyone waits for the answer any more.
    async fn ask<T, F>(&self, name: &str, request: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        pass(&self.gate).await;
        self.is_cut(name)?;
        let late = {
            let mut dice = self.dice.lock().unwrap();
            let slow = dice.percent(self.slow.load(Ordering::Relaxed));
            slow.then(|| Duration::from_millis(dice.pick(&[200, 3_000, 15_000, 25_000, 90_000])))
        };
        let answer = match late {
            None => request.await,
            Some(late) => {
                let done = tokio::spawn(async move {
                    tokio::time::sleep(late).await;
                    request.await
                });
                done.await.unwrap_or_else(|_| Err(error(StoreErrorKind::Unreachable, name)))
            }
        };
        pass(&self.gate).await;
        self.is_cut(name)?;
        answer
    }
}

#[async_trait::async_trait]
impl SharedPlace for Wire {
    fn location(&self) -> String {
        "simulated".to_owned()
    }
    async fn create(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let (pool, of) = (Arc::clone(&self.pool), name.to_owned());
        self.ask(name, async move { pool.create(&of, bytes).await }).await
    }
    async fn read(&self, name: &str) -> Result<Bytes, StoreError> {
        let (pool, of) = (Arc::clone(&self.pool), name.to_owned());
        self.ask(name, async move { pool.read(&of).await }).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let (pool, of) = (Arc::clone(&self.pool), prefix.to_owned());
        self.ask(prefix, async move { pool.list(&of).await }).await
    }
    async fn register(&self, name: &str) -> Result<Option<Register>, StoreError> {
        let (pool, of) = (Arc::clone(&self.pool), name.to_owned());
        self.ask(name, async move { pool.register(&of).await }).await
    }
    async fn swap(&self, name: &str, old: Option<&Tag>, bytes: Bytes) -> Result<Tag, StoreError> {
        let (pool, of, old) = (Arc::clone(&self.pool), name.to_owned(), old.cloned());
        self.ask(name, async move { pool.swap(&of, old.as_ref(), bytes).await }).await
    }
    async fn registers(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let (pool, of) = (Arc::clone(&self.pool), prefix.to_owned());
        self.ask(prefix, async move { pool.registers(&of).await }).await
    }
}
