//! A sandbox that runs: what it offers, and how it ends.

use super::build::{DemoError, Laid, Wishes, cannot, configure, folder, lay_out, new_keys};
use super::folder::Folder;
use super::prove;
use super::reopen;
use super::s3_server::{S3Keys, S3Server, S3ServerSettings};
use super::settings::S3Access;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;
use crate::runner::runs;
use crate::session::scan_once;
use crate::wiring;
use rustix::process::{Pid, Signal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a runner may take to end what it does.
const RUNNER_PATIENCE: Duration = Duration::from_secs(5);

/// Everything that the demo runs. Dropping it ends runners and servers and removes the folder.
#[derive(Debug)]
pub struct Sandbox {
    // Dropped in this order: who uses the servers, then the servers, then the folder.
    _runners: Runners,
    _s3: S3Server,
    laid: Laid,
}

/// What the builder tells while it works.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

impl Sandbox {
    /// Makes a sandbox, or takes up the one that the wished folder holds; `stop` ends the making at the next
    /// opportunity, and nothing stays.
    pub async fn build(wishes: Wishes, now: Timestamp, say: Say, stop: Arc<AtomicBool>) -> Result<Self, DemoError> {
        let (clean, told) = (wishes.clean, Arc::clone(&say));
        let choosing = tokio::task::spawn_blocking(move || folder(&wishes, &*told));
        let folder = choosing.await.map_err(|lost| DemoError::Configuration(lost.to_string()))??;
        if folder.is_made() {
            say(&format!("Taking up the sandbox in {} as it was left", folder.path().display()));
            let (laid, s3) = reopen::take_up(folder).await?;
            interrupted(&stop)?;
            return Ok(Self::up(laid, s3));
        }
        Self::make(folder, clean, now, say, stop).await
    }

    fn up(laid: Laid, s3: S3Server) -> Self {
        Self { _runners: Runners { state_dir: laid.state_dir() }, _s3: s3, laid }
    }

    async fn make(
        folder: Folder,
        clean: bool,
        now: Timestamp,
        say: Say,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, DemoError> {
        let (heard, told) = (Arc::clone(&stop), Arc::clone(&say));
        let laying = tokio::task::spawn_blocking(move || lay_out(folder, clean, now, &*told, &heard));
        let (mut laid, ground) = laying.await.map_err(|lost| DemoError::Configuration(lost.to_string()))??;
        interrupted(&stop)?;

        let (access_key_id, secret) = new_keys(laid.folder.path())?;
        let keys = S3Keys { access_key_id: access_key_id.clone(), secret_access_key: Secret::new(secret) };
        let server = S3ServerSettings { root: laid.s3_root(), port: 0, keys: Some(keys), sums: false };
        let s3 = S3Server::start(server).await.map_err(cannot("serve its bucket"))?;
        configure(&laid, &ground, &S3Access { endpoint: s3.endpoint(), access_key_id })?;

        let setup = wiring::setup(Some(&laid.config()), Some(&laid.state_dir())).await;
        let parts = setup.map_err(|error| DemoError::Configuration(format!("{error:#}")))?.parts();
        say("Scanning both stores and verifying the newest backups");
        let scanned = scan_once(&parts, &|_, _| ()).await;
        interrupted(&stop)?;
        let unfinished = prove::newest_backups(&parts, Arc::new(scanned.catalog)).await;
        laid.lacks.extend(scanned.problems.into_iter().chain(unfinished));
        interrupted(&stop)?;
        Ok(Self::up(laid, s3))
    }

    pub fn folder(&self) -> &Path {
        self.laid.folder.path()
    }

    /// The folder was asked for by name and stays.
    pub fn is_kept(&self) -> bool {
        self.laid.folder.is_kept()
    }

    pub fn config(&self) -> PathBuf {
        self.laid.config()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.laid.state_dir()
    }

    /// A live database runs in it.
    pub fn has_database(&self) -> bool {
        self.laid.cluster.is_some()
    }

    /// What this machine lacks, one sentence each.
    pub fn lacks(&self) -> &[String] {
        &self.laid.lacks
    }

    /// Runs that are not over: they end with the sandbox.
    pub fn open_runs(&self) -> usize {
        let entries = runs::list(&self.state_dir()).unwrap_or_default();
        entries.iter().filter(|entry| entry.state.as_ref().is_ok_and(|state| !state.status.is_over())).count()
    }

    /// Takes everything down, away from the threads that serve: runners and servers are waited for.
    pub async fn end(self) -> Result<(), DemoError> {
        let ending = tokio::task::spawn_blocking(move || drop(self));
        ending.await.map_err(|lost| DemoError::Ending(lost.to_string()))
    }
}

fn interrupted(stop: &AtomicBool) -> Result<(), DemoError> {
    if stop.load(Ordering::Relaxed) { Err(DemoError::Interrupted) } else { Ok(()) }
}

/// The runners of the sandbox's runs: processes of their own that must not outlive it.
#[derive(Debug)]
struct Runners {
    state_dir: PathBuf,
}

impl Drop for Runners {
    fn drop(&mut self) {
        end_runners(&self.state_dir);
    }
}

/// Ends every runner of this state folder, politely first.
pub(super) fn end_runners(state_dir: &Path) {
    for (signal, patience) in [(Signal::TERM, RUNNER_PATIENCE), (Signal::KILL, Duration::from_secs(1))] {
        // The lock that names a runner is held by a live process only, so its number is that process's.
        let alive = || -> Vec<Pid> {
            let entries = runs::list(state_dir).unwrap_or_default();
            let numbers = entries.iter().filter_map(|entry| entry.runner.and_then(|pid| i32::try_from(pid).ok()));
            numbers.filter_map(Pid::from_raw).collect()
        };
        for pid in alive() {
            // An error means that it has just gone.
            let _ = rustix::process::kill_process(pid, signal);
        }
        let begun = Instant::now();
        while !alive().is_empty() {
            if begun.elapsed() > patience {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
