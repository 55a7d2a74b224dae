//! Blocking readers of the proof layer on a thread of their own, fed from a store's stream.

use crate::model::task::{Failure, Progress, Unit};
use crate::model::text::escaped;
use crate::proof::Recorded;
use crate::proof::intake::{Inlet, pipe};
use crate::proof::source::Watch;
use crate::stores::{ByteStream, Pin};
use crate::tasks::context::{Cancel, TaskContext};
use crate::tasks::progress::telling;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How far a reading is, shared between its thread and the task that tells it.
#[derive(Debug)]
pub struct Meter {
    before: u64,
    bytes: AtomicU64,
    part: Mutex<String>,
    cancel: Cancel,
}

impl Meter {
    /// `before`: bytes of earlier objects of the same task.
    pub fn new(cx: &TaskContext, before: u64) -> Arc<Self> {
        let part = Mutex::default();
        Arc::new(Self { before, bytes: AtomicU64::new(0), part, cancel: cx.cancel.clone() })
    }

    /// What is being read now; escaped already.
    pub fn part(&self, name: &str) {
        name.clone_into(&mut self.part.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn look(&self, total: u64) -> Progress {
        let note = self.part.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let done = self.before + self.bytes.load(Ordering::Relaxed);
        Progress { done, total: Some(total), unit: Unit::Bytes, note }
    }
}

impl Watch for Meter {
    fn read_so_far(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }
    fn cancelled(&self) -> bool {
        self.cancel.reason().is_some()
    }
}

/// One object that is read, and where it stands in the whole.
pub struct Object<'a> {
    pub path: &'a str,
    pub pin: &'a Pin,
    /// Held against its bytes.
    pub recorded: Recorded,
    /// Bytes of the task before this object, and of the whole task.
    pub before: u64,
    pub total: u64,
}

/// Runs `read` on a thread that may block, over the bytes of `stream`, and tells the progress. The reader
/// may stop before the end.
pub async fn read_through<T: Send + 'static>(
    cx: &TaskContext,
    stream: ByteStream,
    meter: &Arc<Meter>,
    total: u64,
    read: impl FnOnce(Inlet) -> T + Send + 'static,
) -> Result<T, Failure> {
    let (feeder, inlet) = pipe();
    let reading = tokio::task::spawn_blocking(move || read(inlet));
    let feeding = feeder.feed(stream, cx.cancel.cancelled());
    let both = async { tokio::join!(reading, feeding).0 };
    let done = telling(cx, || meter.look(total), both).await;
    done.map_err(|lost| {
        Failure::new(format!("the reader stopped without an answer: {}", escaped(&lost.to_string())))
            .means("nothing is known about the backup")
            .next("try again; if it happens again, report it with the log of `relight -vv`")
    })
}
