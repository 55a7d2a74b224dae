//! The runner process: detached from its terminal, alone with its run.

use super::drive::Drive;
use super::error::RunnerError;
use super::folder::RunFolder;
use super::frontends;
use super::ground::Ground;
use super::{lock, socket};
use crate::journal::lease::Leases;
use crate::journal::{FileJournal, Opened};
use crate::model::actor::Actor;
use crate::runbook::Engine;
use crate::runbook::engine::replay;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Takes the run up and serves it until it is over or the process is told to go.
pub async fn run(folder: RunFolder, ground: Ground, leases: Leases) -> Result<(), RunnerError> {
    // Leaves the session of whoever started it; fails only where it leads one already.
    let _ = rustix::process::setsid();
    let _lock = lock::take(&folder)?;
    let stop = signals(&folder)?;
    let Opened { journal, events, torn } = FileJournal::open(&folder.path)?;
    if let Some(torn) = torn {
        tracing::warn!(path = %torn.display(), "a half-written last line was set aside");
    }
    let state = replay(&events)?;
    let me = Actor { name: "relight".to_owned(), ..ground.actor.clone() };
    let mut drive = Drive::new(Engine::new(state, me), (journal, events), ground, leases, folder.clone());
    if drive.ledger.state().status.is_over() {
        drive.tidy_up().await;
        return Ok(());
    }
    let listener =
        socket::listen(&folder.socket()).map_err(|error| RunnerError::io("listened on", &folder.socket(), error))?;
    let (calls, called) = mpsc::channel(64);
    let accepting = tokio::spawn(frontends::accept(listener, calls));
    let driven = drive.run(called, stop).await;
    accepting.abort();
    // A socket that stays behind is replaced by the next runner.
    let _ = std::fs::remove_file(folder.socket());
    driven.map_err(RunnerError::from)
}

/// SIGTERM and SIGINT end the runner cleanly; a hang-up is not its business.
fn signals(folder: &RunFolder) -> Result<mpsc::Receiver<String>, RunnerError> {
    let listen = |kind| signal(kind).map_err(|error| RunnerError::io("prepared for signals", &folder.path, error));
    let (mut term, mut int, mut hup) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?, listen(SignalKind::hangup())?);
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let why = tokio::select! {
                _ = term.recv() => "told to end (SIGTERM)",
                _ = int.recv() => "told to end (SIGINT)",
                _ = hup.recv() => continue,
            };
            if tell.send(why.to_owned()).await.is_err() {
                return;
            }
        }
    });
    Ok(told)
}
