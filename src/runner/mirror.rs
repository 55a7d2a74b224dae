//! Keeps the mirror of a run's journal up with it, beside the loop: slow or lost, it never holds the run up.

use crate::journal::mirror::{Mirror, MirrorError};
use crate::stores::SharedPlace;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Longest wait for one line; it is tried again.
const LINE: Duration = Duration::from_secs(30);
/// Distances between two tries of a place that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How far the mirror is behind, while the place does not take its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    pub entries: u64,
    pub why: String,
}

/// The mirror's two ends: what is on disk, and how the mirror fares.
pub struct Mirroring {
    written: watch::Sender<u64>,
    mirrored: watch::Receiver<u64>,
    pub behind: watch::Receiver<Option<Behind>>,
    task: tokio::task::AbortHandle,
}

impl Mirroring {
    pub fn start(mut mirror: Mirror, place: Arc<dyn SharedPlace>, seq: u64) -> Self {
        let (written, mut asked) = watch::channel(seq);
        let (done, mirrored) = watch::channel(0);
        let (tell, behind) = watch::channel(None);
        let task = tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let seq = *asked.borrow_and_update();
                let put = tokio::time::timeout(LINE, mirror.put_up_to(seq, &*place)).await;
                done.send_replace(mirror.seq);
                let why = match put {
                    Ok(Ok(())) => {
                        pause = FIRST_PAUSE;
                        tell.send_if_modified(|now| now.take().is_some());
                        if asked.changed().await.is_err() {
                            return;
                        }
                        continue;
                    }
                    Ok(Err(error @ MirrorError::Other(_))) => {
                        tell.send_replace(Some(Behind { entries: seq - mirror.seq, why: error.to_string() }));
                        return;
                    }
                    Ok(Err(error)) => error.to_string(),
                    // Many lines may simply take longer: only one that stands still is a trouble.
                    Err(_) => format!("{} does not answer", place.location()),
                };
                let entries = asked.borrow().saturating_sub(mirror.seq);
                tell.send_replace(Some(Behind { entries, why }));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        });
        Self { written, mirrored, behind, task: task.abort_handle() }
    }

    /// The entry with this number is on disk.
    pub fn written(&self, seq: u64) {
        self.written.send_replace(seq);
    }

    /// Everything that is on disk now, to be waited for.
    pub fn up_to_now(&self) -> UpTo {
        UpTo { seq: *self.written.borrow(), mirrored: self.mirrored.clone(), behind: self.behind.clone() }
    }

    /// Waits until everything on disk is mirrored; the error says how much is not.
    pub async fn finish(mut self, patience: Duration) -> Result<(), String> {
        let all = *self.written.borrow();
        let waited = tokio::time::timeout(patience, self.mirrored.wait_for(|seq| *seq >= all)).await;
        let whole = waited.is_ok_and(|seen| seen.is_ok());
        if whole {
            return Ok(());
        }
        let missing = all.saturating_sub(*self.mirrored.borrow());
        let why = self.behind.borrow().as_ref().map(|behind| behind.why.clone()).unwrap_or_default();
        Err(format!("{missing} entries: {why}"))
    }
}

/// One entry's way into the mirror.
pub struct UpTo {
    seq: u64,
    mirrored: watch::Receiver<u64>,
    behind: watch::Receiver<Option<Behind>>,
}

impl UpTo {
    /// The error says why it is not there.
    pub async fn wait(&mut self, patience: Duration) -> Result<(), String> {
        let seq = self.seq;
        let waited = tokio::time::timeout(patience, self.mirrored.wait_for(|mirrored| *mirrored >= seq)).await;
        if waited.is_ok_and(|seen| seen.is_ok()) {
            return Ok(());
        }
        let why = self.behind.borrow().as_ref().map(|behind| format!(": {}", behind.why)).unwrap_or_default();
        Err(format!("the shared place does not tell of it yet{why}"))
    }
}

impl Drop for Mirroring {
    fn drop(&mut self) {
        self.task.abort();
    }
}
