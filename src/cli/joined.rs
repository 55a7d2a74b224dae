//! A run as its living runner tells it, for commands that say one thing and leave.

use crate::model::actor::Actor;
use crate::report::{Exit, Fault};
use crate::runbook::RunState;
use crate::runner::protocol::FromRunner;
use crate::runner::{Client, RunFolder};
use color_eyre::eyre;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long the runner may take to tell where its run stands.
const PATIENCE: Duration = Duration::from_secs(30);

/// A line to a runner. What it tells from now on is not read, and must be kept all the same: the line ends with it.
pub struct Joined {
    pub client: Client,
    pub state: RunState,
    pub told: mpsc::Receiver<FromRunner>,
}

/// The line to the runner, and where its run stands.
pub async fn join(folder: &RunFolder, actor: &Actor) -> eyre::Result<Joined> {
    let (client, mut told) = Client::connect(folder, actor, 0).await?;
    let caught_up = async {
        let mut state: Option<RunState> = None;
        while let Some(said) = told.recv().await {
            match (said, &mut state) {
                (FromRunner::Event { event }, None) => state = RunState::create(&event).ok(),
                (FromRunner::Event { event }, Some(state)) => drop(state.apply(&event)),
                (FromRunner::CaughtUp { .. }, _) => return state,
                _ => {}
            }
        }
        None
    };
    let state = tokio::time::timeout(PATIENCE, caught_up).await.ok().flatten();
    let mute = || Fault::new(Exit::Unknown, format!("run {} does not tell where it stands", folder.run));
    Ok(Joined { client, state: state.ok_or_else(mute)?, told })
}
