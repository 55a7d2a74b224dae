//! The frontends that are connected: each gets every event, and none can hold the run up.

use super::protocol::{FromRunner, ToRunner};
use crate::event::Event;
use crate::model::actor::Actor;
use crate::runbook::Intent;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::{Framed, LinesCodec};

/// Longest line that a frontend may send, in bytes: an intent may carry a whole plan.
const MAX_LINE: usize = 8 << 20;
/// What a slow frontend may fall behind before it is dropped; it comes back and catches up.
const BEHIND: usize = 1024;

/// From a connection to the runner's loop.
pub enum Call {
    Join { after: u64, answer: oneshot::Sender<Joined> },
    Intent { actor: Actor, intent: Intent, answer: oneshot::Sender<Result<(), String>> },
}

/// What a frontend has missed, and what comes.
pub struct Joined {
    pub missed: Vec<Event>,
    pub seq: u64,
    pub news: mpsc::Receiver<FromRunner>,
}

#[derive(Default)]
pub struct Frontends(Vec<mpsc::Sender<FromRunner>>);

impl Frontends {
    pub fn join(&mut self, events: &[Event], after: u64) -> Joined {
        let (sender, news) = mpsc::channel(BEHIND);
        self.0.push(sender);
        let missed = events.iter().filter(|event| event.seq > after).cloned().collect();
        Joined { missed, seq: events.len() as u64, news }
    }

    /// Tells everyone; who is too far behind is dropped.
    pub fn tell(&mut self, news: &FromRunner) {
        self.0.retain(|frontend| frontend.try_send(news.clone()).is_ok());
    }

    /// Waits until everyone has read to the end, or `patience` is over.
    pub async fn part(self, patience: std::time::Duration) {
        let all = self.0.iter().map(mpsc::Sender::closed);
        // Who does not read to the end finds the end in the journal.
        let _ = tokio::time::timeout(patience, futures::future::join_all(all)).await;
    }
}

/// Takes connections for ever.
pub async fn accept(listener: UnixListener, calls: mpsc::Sender<Call>) {
    let me = rustix::process::getuid().as_raw();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: those who are connected go first.
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            continue;
        };
        let allowed = stream.peer_cred().is_ok_and(|peer| peer.uid() == me || peer.uid() == 0);
        if allowed {
            tokio::spawn(converse(stream, calls.clone()));
        }
    }
}

async fn converse(stream: UnixStream, calls: mpsc::Sender<Call>) {
    let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(MAX_LINE));
    let Some(Ok(first)) = lines.next().await else { return };
    let Ok(ToRunner::Hello { actor, after }) = serde_json::from_str(&first) else {
        let _ = send(&mut lines, &FromRunner::Bye { why: "a frontend must say hello first".to_owned() }).await;
        return;
    };
    let (answer, joined) = oneshot::channel();
    if calls.send(Call::Join { after, answer }).await.is_err() {
        return;
    }
    let Ok(Joined { missed, seq, mut news }) = joined.await else { return };
    for event in missed {
        if send(&mut lines, &FromRunner::Event { event: Box::new(event) }).await.is_err() {
            return;
        }
    }
    if send(&mut lines, &FromRunner::CaughtUp { seq }).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            said = news.recv() => {
                let Some(said) = said else { return };
                if send(&mut lines, &said).await.is_err() || matches!(said, FromRunner::Bye { .. }) {
                    return;
                }
            }
            line = lines.next() => {
                let Some(Ok(line)) = line else { return };
                let reply = hear(&line, &actor, &calls).await;
                if send(&mut lines, &reply).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn hear(line: &str, actor: &Actor, calls: &mpsc::Sender<Call>) -> FromRunner {
    let (id, intent) = match serde_json::from_str(line) {
        Ok(ToRunner::Intent { id, intent }) => (id, intent),
        Ok(ToRunner::Hello { .. }) => {
            return FromRunner::Refused { id: 0, why: "hello was said already".to_owned() };
        }
        Err(error) => return FromRunner::Refused { id: 0, why: format!("that is not understood: {error}") },
    };
    let (answer, answered) = oneshot::channel();
    let gone = || "the runner is going away".to_owned();
    if calls.send(Call::Intent { actor: actor.clone(), intent, answer }).await.is_err() {
        return FromRunner::Refused { id, why: gone() };
    }
    match answered.await.unwrap_or_else(|_| Err(gone())) {
        Ok(()) => FromRunner::Accepted { id },
        Err(why) => FromRunner::Refused { id, why },
    }
}

async fn send(lines: &mut Framed<UnixStream, LinesCodec>, said: &FromRunner) -> Result<(), ()> {
    let text = serde_json::to_string(said).map_err(|_| ())?;
    lines.send(text).await.map_err(|_| ())
}
