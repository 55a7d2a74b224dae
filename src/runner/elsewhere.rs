//! Runs that others drive, as the shared place tells of them; and how one is taken over.

use super::error::RunnerError;
use super::folder::{RUNS, RunFolder};
use super::inherit::{self, InheritError};
use super::{lock, runs};
use crate::journal::lease::{Claim, LeaseError, Leases};
use crate::journal::mirror::{self, MirrorError, Seen};
use crate::journal::{FileJournal, Journal as _};
use crate::model::actor::Actor;
use crate::model::id::RunId;
use crate::model::lease::Lease;
use crate::model::time::Timestamp;
use crate::runbook::RunState;
use crate::runbook::engine::{ReplayError, replay};
use std::collections::HashMap;
use std::path::Path;

/// Where copies of runs go that a takeover replaces, below the state folder.
const SUPERSEDED: &str = "superseded";

/// A run that holds a lease from another state folder.
#[derive(Debug)]
pub struct Elsewhere {
    /// One of its leases: they are renewed together.
    pub lease: Lease,
    /// Where its mirror says that it stands, or why it does not tell.
    pub state: Result<RunState, String>,
}

#[derive(Debug, thiserror::Error)]
pub enum TakeoverError {
    #[error(transparent)]
    Lease(#[from] LeaseError),
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    #[error(transparent)]
    Runner(#[from] RunnerError),
    #[error("the mirror does not make a run: {0}")]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Inherit(#[from] InheritError),
    #[error(
        "there is no shared place, so no other machine can have taken this run: `relight resume {0}` goes on with it"
    )]
    Alone(RunId),
    #[error("run {0} is this state folder's own: `relight resume {0}` goes on with it")]
    Own(RunId),
    #[error("run {run} is over ({word}): there is nothing to take over")]
    Over { run: RunId, word: String },
    #[error("the mirror of run {0} is whole: its lock goes with it, and is not freed. Take the run over instead")]
    Whole(RunId),
}

/// Mirrors as they were read last, for whoever looks again and again.
#[derive(Debug, Default)]
pub struct Known(HashMap<RunId, Seen>);

/// Runs that are held from elsewhere, newest first.
pub async fn list(leases: &Leases) -> Result<Vec<Elsewhere>, LeaseError> {
    look(leases, &mut Known::default()).await
}

/// Like [`list`], reading only what was not read before.
pub async fn look(leases: &Leases, known: &mut Known) -> Result<Vec<Elsewhere>, LeaseError> {
    if !leases.is_shared() {
        return Ok(Vec::new());
    }
    let mut held: Vec<Lease> =
        leases.all().await?.into_iter().filter(|lease| lease.is_held() && lease.seat != leases.seat()).collect();
    held.dedup_by(|a, b| a.run == b.run);
    let mut found = Vec::new();
    let mut before = std::mem::take(&mut known.0);
    for lease in held.into_iter().rev() {
        let mut seen = before.remove(&lease.run).unwrap_or_default();
        let state = match seen.copy(&**leases.place(), &lease.run).await {
            Ok(copied) => replay(&copied.events).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        known.0.insert(lease.run.clone(), seen);
        found.push(Elsewhere { lease, state });
    }
    Ok(found)
}

/// Who takes what over, and why.
#[derive(Clone, Debug)]
pub struct Takeover<'a> {
    pub run: &'a RunId,
    pub by: &'a Actor,
    pub reason: &'a str,
    /// Also from a holder whose lease has not expired.
    pub alive: bool,
    /// The configuration that the run goes on with.
    pub config: &'a Path,
}

/// Fences the old holder off and brings the run here; a runner must then be started for it. May be called
/// again after it broke off: what was taken stays taken.
pub async fn take_over(
    leases: &Leases,
    state_dir: &Path,
    wish: &Takeover<'_>,
    now: Timestamp,
) -> Result<RunFolder, TakeoverError> {
    let run = wish.run;
    if !leases.is_shared() {
        return Err(TakeoverError::Alone(run.clone()));
    }
    let folder = RunFolder::of(state_dir, run);
    if let Some(pid) = lock::holder(&folder) {
        return Err(RunnerError::Taken { run: run.to_string(), pid: pid.to_string() }.into());
    }
    let place = &**leases.place();
    let state = replay(&mirror::copy(place, run).await?.events)?;
    if state.status.is_over() {
        return Err(TakeoverError::Over { run: run.clone(), word: state.status.word().to_owned() });
    }
    let scopes = state.plan.lock_scope.clone();
    // A copy that is whole and holds the lease goes on by itself.
    if let Some(scope) = scopes.first()
        && leases.look(scope).await?.is_some_and(|(lease, _)| lease.run == *run && lease.seat == leases.seat())
        && runs::read(&folder).is_lost()
    {
        return Err(TakeoverError::Own(run.clone()));
    }
    let claim = Claim { run: run.clone(), holder: wish.by.clone(), scopes, epoch: state.epoch() };
    let held = leases.take_over(&claim, wish.reason, wish.alive).await?;
    let inherited = inherit::inherit(leases, run, &held, (wish.by, wish.reason), now).await?;
    set_aside(state_dir, &folder)?;
    folder.create()?;
    folder.keep_config(wish.config)?;
    let seq = inherited.copied.lines.len() as u64;
    let mut journal = FileJournal::adopt(&folder.path, &inherited.copied.lines, seq, &inherited.copied.hash)
        .map_err(RunnerError::from)?
        .journal;
    for event in &inherited.first {
        journal.append(event).map_err(RunnerError::from)?;
    }
    Ok(folder)
}

/// Frees the lock of a run that nobody can bring back: its mirror tells no run, and no state folder that can be
/// seen from here holds its journal. What it may have begun is then looked at by nobody but whoever runs next.
pub async fn free(
    leases: &Leases,
    state_dir: &Path,
    (run, by, reason): (&RunId, &Actor, &str),
    alive: bool,
) -> Result<Vec<Lease>, TakeoverError> {
    let folder = RunFolder::of(state_dir, run);
    if let Some(pid) = lock::holder(&folder) {
        return Err(RunnerError::Taken { run: run.to_string(), pid: pid.to_string() }.into());
    }
    if runs::read(&folder).is_lost() {
        return Err(TakeoverError::Own(run.clone()));
    }
    if leases.is_shared() {
        match mirror::copy(&**leases.place(), run).await {
            // Where the place does not answer, nobody knows what lies there.
            Err(error @ MirrorError::Place(_)) => return Err(error.into()),
            Err(_) => {}
            Ok(copied) => match replay(&copied.events) {
                Ok(state) if !state.status.is_over() => return Err(TakeoverError::Whole(run.clone())),
                Ok(_) | Err(_) => {}
            },
        }
    }
    Ok(leases.free(run, by, reason, alive).await?)
}

/// A copy of the run that lies here, fenced off or unfinished, is kept apart.
fn set_aside(state_dir: &Path, folder: &RunFolder) -> Result<(), RunnerError> {
    if !folder.path.exists() {
        return Ok(());
    }
    let aside = state_dir.join(SUPERSEDED);
    std::fs::create_dir_all(&aside).map_err(|error| RunnerError::io("created", &aside, error))?;
    for number in 1..1000 {
        let to = aside.join(format!("{}-{number}", folder.run));
        if !to.exists() {
            return std::fs::rename(&folder.path, &to)
                .map_err(|error| RunnerError::io("set aside", &folder.path, error));
        }
    }
    let full = std::io::Error::other("a thousand copies were set aside already");
    Err(RunnerError::io("set aside", &state_dir.join(RUNS), full))
}
