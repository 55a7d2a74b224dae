//! One watch: whom it looks at, what it has seen, what it opens.

use super::open::{Opening, open};
use super::row::Row;
use super::sight::{Entry, Sight};
use crate::journal::lease::Leases;
use crate::kept::Lines;
use crate::model::estate::Estate;
use crate::model::id::{AssetId, ServerId};
use crate::model::task::Values;
use crate::model::time::Timestamp;
use crate::runbook::{Mode, ParamKind, Plan, Runbook};
use crate::runner::Ground;
use crate::runner::planner::make_plan;
use crate::tasks::TaskFeed;
use crate::tasks::input::Stop;
use crate::tasks::pg::pair::look::Seen;
use crate::tasks::vantage::{Around, Look, State, Watched, look_around};
use std::path::{Path, PathBuf};

/// File of all watches, below the state folder.
const FILE: &str = "watch.jsonl";
/// Longest line that is believed, in bytes.
const LONGEST: u64 = 1 << 20;
/// Looks whose words go into the journal of the run that is opened.
const TOLD: usize = 20;

#[derive(Debug, thiserror::Error)]
pub enum WatcherError {
    #[error("`{0}` has no parameter that names a database: there is nothing to watch for it")]
    NoAsset(String),
    #[error("asset `{0}` has no `server` in the configuration: nobody knows what to watch")]
    NoServer(AssetId),
}

pub struct Watcher {
    runbook: Runbook,
    given: Values,
    asset: AssetId,
    primary: ServerId,
    standby: Option<ServerId>,
    url: Option<String>,
    row: Row,
    last: Option<Look>,
    split: bool,
    /// The looks of the row that is filling up.
    since: Vec<(Timestamp, Look)>,
}

impl Watcher {
    /// Watches the server of the asset that the runbook's parameters name.
    pub fn new(estate: &Estate, runbook: Runbook, given: Values, times: u32) -> Result<Self, WatcherError> {
        let param = runbook.params.iter().find(|param| matches!(param.kind, ParamKind::Asset { .. }));
        let named = param.and_then(|param| given.get(&param.name)?.as_str().or(param.default.as_deref()));
        let asset = named.and_then(|name| estate.asset(&AssetId::from(name.trim())));
        let asset = asset.ok_or_else(|| WatcherError::NoAsset(runbook.id.to_string()))?;
        let server = asset.server.as_ref().and_then(|id| estate.server(id));
        let server = server.ok_or_else(|| WatcherError::NoServer(asset.id.clone()))?;
        Ok(Self {
            asset: asset.id.clone(),
            primary: server.id.clone(),
            standby: server.standby.clone(),
            url: asset.health_url.clone(),
            row: Row::new(times),
            last: None,
            split: false,
            since: Vec::new(),
            runbook,
            given,
        })
    }

    pub fn asset(&self) -> &AssetId {
        &self.asset
    }

    pub fn primary(&self) -> &ServerId {
        &self.primary
    }

    pub fn began(&self, every: std::time::Duration, times: u32) -> Sight {
        Sight::Began {
            runbook: self.runbook.id.clone(),
            primary: self.primary.clone(),
            standby: self.standby.clone(),
            every_seconds: every.as_secs(),
            times,
        }
    }

    /// Looks once from everywhere; may be dropped at any time.
    pub async fn look(&self, ground: &Ground) -> Result<Around, Stop> {
        let cx = ground.to_plan(TaskFeed::silent());
        let watched = Watched::of(&cx, &self.primary, self.standby.as_ref(), self.url.as_deref())?;
        look_around(&cx, &watched).await
    }

    /// What follows from a look: what is worth telling, and whether a run is to be opened.
    pub fn judge(&mut self, around: Around, at: Timestamp) -> (Vec<Sight>, bool) {
        let mut sights = Vec::new();
        let other_writes = around.standby.as_ref().is_some_and(Seen::writable);
        let split = other_writes && around.here.writable();
        if let (true, false, Some(other)) = (split, self.split, &self.standby) {
            sights.push(Sight::Split { one: self.primary.clone(), other: other.clone() });
        }
        self.split = split;
        if let (true, false, Some(other)) = (other_writes, split, self.standby.clone()) {
            self.standby = Some(std::mem::replace(&mut self.primary, other));
            self.row.saw(State::Up);
            self.last = None;
            sights.push(Sight::RolesChanged { primary: self.primary.clone() });
            return (sights, false);
        }
        let state = if split { State::Unknown } else { around.look.state() };
        let full = self.row.saw(state);
        if state != State::Down {
            self.since.clear();
        } else if self.since.len() < TOLD {
            self.since.push((at, around.look.clone()));
        }
        if self.row.is_filling() || self.last.as_ref().is_none_or(|last| !last.is_like(&around.look)) {
            let (server, down, look) = (self.primary.clone(), self.row.down(), around.look.clone());
            sights.push(Sight::Looked { server, state, down, look });
        }
        self.last = Some(around.look);
        (sights, full)
    }

    /// The plan of the run that is to be opened; may be dropped at any time.
    pub async fn plan(&self, ground: &Ground) -> Result<Plan, Vec<String>> {
        make_plan(ground, &self.runbook, &self.given, Mode::Real, |_| {}).await
    }

    /// Opens the run, unless one is open. Must not be dropped half-way.
    pub async fn open(
        &mut self,
        ground: &Ground,
        leases: &Leases,
        (config, operator): (&Path, Option<&str>),
        plan: &Plan,
    ) -> Sight {
        let opening = Opening {
            leases,
            config,
            state_dir: &ground.state_dir,
            actor: &ground.actor,
            now: ground.clock.now(),
            server: &self.primary,
            operator,
            note: self.note(&ground.state_dir),
        };
        let sight = open(&opening, plan).await;
        if matches!(sight, Sight::Opened { .. }) {
            self.row.settle();
        }
        sight
    }

    /// Why the run was opened, for its journal.
    fn note(&self, state_dir: &Path) -> String {
        let mut note = format!(
            "opened by relight watch: `{}` was seen down in {} looks in a row; what it saw is kept in {}",
            self.primary,
            self.row.down(),
            file(state_dir).display(),
        );
        for (at, look) in &self.since {
            let line = format!("; {}: {look}", at.format("%H:%M:%S UTC"));
            if note.len() + line.len() > 12 * 1024 {
                break;
            }
            note.push_str(&line);
        }
        note
    }

    /// Adds a line to the file of all watches.
    pub fn keep(&self, ground: &Ground, sight: Sight) -> (Entry, std::io::Result<()>) {
        let entry = Entry {
            schema: "relight.watch/1",
            at: ground.clock.now(),
            by: ground.actor.clone(),
            asset: self.asset.clone(),
            sight,
        };
        let kept = Lines::new(file(&ground.state_dir), LONGEST).append(&entry);
        (entry, kept)
    }
}

/// The file of all watches.
pub fn file(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}
