//! A new run, and a process to run it.

use super::error::RunnerError;
use super::folder::{RunFolder, SECOND};
use super::{lock, socket};
use crate::journal::{FileJournal, Journal as _};
use crate::model::actor::Actor;
use crate::model::id::RunId;
use crate::model::time::Timestamp;
use crate::runbook::engine::Now;
use crate::runbook::{Engine, Plan};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A runner that does not answer by then has not come up.
const PATIENCE: Duration = Duration::from_secs(20);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Puts a plan down as a new run; nothing runs yet.
pub fn create(
    state_dir: &Path,
    plan: &Plan,
    config: &Path,
    actor: &Actor,
    now: Timestamp,
) -> Result<RunFolder, RunnerError> {
    let run = new_id(plan, now);
    let folder = RunFolder::of(state_dir, &run);
    folder.create()?;
    folder.keep_config(config)?;
    let mut journal = FileJournal::create(&folder.path)?;
    journal.append(&Engine::creation(run, plan, actor.clone(), Now { at: now, mono_ms: 0 }))?;
    Ok(folder)
}

/// `20261121-0215-restore-postgres-7k2p`: sorts by time, says what it is, types easily.
fn new_id(plan: &Plan, now: Timestamp) -> RunId {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0_u8; 4];
    if getrandom::fill(&mut random).is_err() {
        random = (std::process::id() ^ now.timestamp_subsec_nanos()).to_le_bytes();
    }
    let tail: String = random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    RunId::new(format!("{}-{}-{tail}", now.format(SECOND), plan.runbook))
}

/// Starts a runner process for the run, from this very program, and waits until it answers.
pub async fn start(folder: &RunFolder, state_dir: &Path) -> Result<(), RunnerError> {
    let program = std::env::current_exe().map_err(|error| RunnerError::NotUp {
        run: folder.run.to_string(),
        why: format!("this program's own file cannot be found: {error}"),
    })?;
    start_with(&program, folder, state_dir).await
}

/// Like [`start`], with the `relight` program of choice.
pub async fn start_with(program: &Path, folder: &RunFolder, state_dir: &Path) -> Result<(), RunnerError> {
    let not_up = |why: String| RunnerError::NotUp { run: folder.run.to_string(), why };
    if let Some(pid) = lock::holder(folder) {
        return Err(RunnerError::Taken { run: folder.run.to_string(), pid: pid.to_string() });
    }
    let log = folder.log();
    let open_log = || {
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&log);
        opened.map_err(|error| RunnerError::io("opened", &log, error))
    };
    let (out, err) = (open_log()?, open_log()?);
    let mut child = Command::new(program)
        .arg("--config")
        .arg(folder.config()?)
        .arg("--state")
        .arg(state_dir)
        .arg("runner")
        .arg(folder.run.as_str())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::from(out))
        .stderr(Stdio::from(err))
        .spawn()
        .map_err(|error| not_up(error.to_string()))?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let ended = child.try_wait().map_err(|error| not_up(error.to_string()))?;
        if socket::connect(&folder.socket()).await.is_ok() {
            reap(child);
            return Ok(());
        }
        if let Some(status) = ended {
            // A run that is over needs no runner: one that was taken up and found over leaves at once.
            return if status.success() { Ok(()) } else { Err(not_up(format!("{status}; {}", folder.log_tail()))) };
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(not_up(format!("no answer within {} s; {}", PATIENCE.as_secs(), folder.log_tail())));
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Collects the child's exit, so that a runner that ends while its console lives leaves no zombie.
fn reap(mut child: std::process::Child) {
    std::thread::spawn(move || {
        let _ = child.wait();
    });
}
