//! A frontend's line to a runner.

use super::error::RunnerError;
use super::folder::RunFolder;
use super::protocol::{FromRunner, ToRunner};
use super::socket;
use crate::model::actor::Actor;
use crate::runbook::Intent;
use futures::{SinkExt as _, StreamExt as _};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

/// Longest line that a runner sends, in bytes: its first event holds the whole plan.
const MAX_LINE: usize = 16 << 20;

/// Most messages that wait to be read by the frontend.
const MAX_UNTOLD: usize = 65_536;

type Waiting = Arc<Mutex<BTreeMap<u64, oneshot::Sender<Result<(), String>>>>>;

/// Sends intents; what the runner tells comes through the receiver that was made with it.
#[derive(Clone, Debug)]
pub struct Client {
    wishes: mpsc::Sender<(Intent, oneshot::Sender<Result<(), String>>)>,
}

impl Client {
    /// Connects, and asks for all events after `after`. The receiver ends when the line is lost.
    pub async fn connect(
        folder: &RunFolder,
        actor: &Actor,
        after: u64,
    ) -> Result<(Self, mpsc::Receiver<FromRunner>), RunnerError> {
        let no_runner = |error: std::io::Error| RunnerError::NoRunner {
            run: folder.run.to_string(),
            why: match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
                    format!("its process is gone; `relight resume {}` brings it back", folder.run)
                }
                // It took the line, and ended before it heard a word.
                std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset => {
                    format!("its process has just ended; `relight report {}` says how the run stands", folder.run)
                }
                _ => error.to_string(),
            },
        };
        let stream = socket::connect(&folder.socket()).await.map_err(no_runner)?;
        let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(MAX_LINE));
        let hello = to_text(&ToRunner::Hello { actor: actor.clone(), after });
        lines.send(hello).await.map_err(|error| match error {
            LinesCodecError::Io(error) => no_runner(error),
            other @ LinesCodecError::MaxLineLengthExceeded => RunnerError::Language(other.to_string()),
        })?;
        let (wishes, wished) = mpsc::channel(16);
        let (tell, told) = mpsc::channel(256);
        tokio::spawn(converse(lines, wished, tell));
        Ok((Self { wishes }, told))
    }

    /// Asks the runner; the error says why it was refused.
    pub async fn intent(&self, intent: Intent) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let lost = || "the line to the runner is lost".to_owned();
        self.wishes.send((intent, answer)).await.map_err(|_| lost())?;
        answered.await.unwrap_or_else(|_| Err(lost()))
    }
}

fn to_text(said: &ToRunner) -> String {
    // These types always encode; an empty line would be refused by the runner.
    serde_json::to_string(said).unwrap_or_default()
}

async fn converse(
    mut lines: Framed<UnixStream, LinesCodec>,
    mut wished: mpsc::Receiver<(Intent, oneshot::Sender<Result<(), String>>)>,
    tell: mpsc::Sender<FromRunner>,
) {
    let waiting: Waiting = Waiting::default();
    let mut next_id = 1;
    // Who waits for the word about an intent does not read what is told: it must not hold that word up.
    let mut untold = VecDeque::new();
    loop {
        tokio::select! {
            room = tell.reserve(), if !untold.is_empty() => {
                let (Ok(room), Some(said)) = (room, untold.pop_front()) else { return };
                room.send(said);
            }
            wish = wished.recv() => {
                let Some((intent, answer)) = wish else { return };
                lock(&waiting).insert(next_id, answer);
                if lines.send(to_text(&ToRunner::Intent { id: next_id, intent })).await.is_err() {
                    return;
                }
                next_id += 1;
            }
            line = lines.next(), if untold.len() < MAX_UNTOLD => {
                let Some(Ok(line)) = line else { break };
                match serde_json::from_str(&line) {
                    Ok(FromRunner::Accepted { id }) => settle(&waiting, id, Ok(())),
                    Ok(FromRunner::Refused { id, why }) => settle(&waiting, id, Err(why)),
                    Ok(said) => untold.push_back(said),
                    Err(error) => {
                        tracing::warn!(%error, "the runner said something that is not understood");
                        return;
                    }
                }
            }
        }
    }
    for said in untold {
        if tell.send(said).await.is_err() {
            return;
        }
    }
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Result<(), String>>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn settle(waiting: &Waiting, id: u64, answer: Result<(), String>) {
    if let Some(waits) = lock(waiting).remove(&id) {
        // Who asked may have gone; the runner's word stands in the journal.
        let _ = waits.send(answer);
    }
}
