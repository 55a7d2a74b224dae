//! The live data folder, the new one and the old one by their names; and the server's stop and start around
//! their exchange.

use super::look::{BETWEEN, Info, Seen, look};
use super::note::{Held, Note};
use super::scratch::folder_id;
use super::wire;
use crate::model::id::ServerId;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::Command;
use crate::tasks::input::Stop;
use crate::tasks::patience::Patience;
use crate::tasks::pg::connect::address;
use crate::tasks::pg::pair::home::{Home, listed};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Deserialize)]
pub(super) struct Input {
    pub server: ServerId,
    /// Device and inode of the live folder in the plan.
    pub live_id: String,
    pub side: String,
    pub aside: String,
    #[serde(default)]
    pub aof_dir: Option<String>,
    #[serde(default)]
    pub within: Option<String>,
}

/// Where the exchange of folders stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Before,
    /// Between the two renames: no folder has the live name, so nothing can start there and begin empty.
    Between,
    After,
}

pub(super) struct Scene<'a> {
    pub home: Home<'a>,
    pub held: Held,
    pub stage: Stage,
    input: &'a Input,
}

/// A service that never listens is given up after this long.
const REFUSING: Duration = Duration::from_secs(20);
const COMMAND: Duration = Duration::from_mins(5);

impl<'a> Scene<'a> {
    pub async fn read(cx: &'a TaskContext, input: &'a Input) -> Result<Self, Stop> {
        let home = Home::of(cx, wire::server(cx, &input.server)?)?;
        let live = home.place.data_dir.clone();
        let note = Note::read(cx, &input.side);
        let (made, held) = note.and_then(|note| Some((note.id?, note.complete?))).ok_or_else(|| {
            Failure::new(format!("{} was not loaded to its end by this run", escaped(&input.side)))
                .means("it must not become the live data folder; nothing was done")
                .next("run the loading step first")
        })?;
        let (at_live, at_side) = (folder_id(&home, &live).await?, folder_id(&home, &input.side).await?);
        let (at_aside, old, made) = (folder_id(&home, &input.aside).await?, Some(input.live_id.clone()), Some(made));
        let stage = if at_side == made && at_aside.is_none() && at_live == old {
            Stage::Before
        } else if at_side == made && at_live.is_none() && at_aside == old {
            Stage::Between
        } else if at_live == made && at_side.is_none() && at_aside == old {
            Stage::After
        } else {
            let one =
                |name: &str, id: Option<String>| format!("{}: {}", escaped(name), id.unwrap_or("nothing".to_owned()));
            return Err(Stop::Unknown(
                Failure::new("the data folders are neither as before nor as after the swap")
                    .means("someone else renamed or made folders; nothing was done")
                    .next("look at them by hand: the inodes tell which is which")
                    .evidence(one(&live, at_live))
                    .evidence(one(&input.side, at_side))
                    .evidence(one(&input.aside, at_aside))
                    .evidence(one("made by this run", made)),
            ));
        };
        Ok(Self { home, held, stage, input })
    }

    /// Stops the service, and sees that nothing runs and nothing listens.
    pub async fn stop(&self) -> Result<(), Stop> {
        let home = &self.home;
        let words = home.place.stop.iter().cloned();
        let said = home.run(Command::new(words).within(COMMAND)).await?;
        let mut patience = Patience::new(home.cx, Some("2m"), BETWEEN)?;
        loop {
            let there = folder_id(home, &home.place.data_dir).await?.is_some();
            let running = if there { home.processes().await? } else { Vec::new() };
            let seen = look(home.cx, home.server).await?;
            if running.is_empty() && matches!(seen, Seen::Refused) {
                return Ok(());
            }
            let how = if running.is_empty() { seen.words() } else { listed(&running) };
            let missing = format!("server `{}` is not stopped: {how}", home.server.id);
            // A command that said no is not waited for as long as one that is at work.
            if said.status != 0 || !patience.again(&missing).await? {
                let failure = Failure::new(missing)
                    .means("no folder was renamed")
                    .next("see why it does not stop (a save that fails keeps it running), then retry");
                return Err(said
                    .stderr
                    .iter()
                    .take(10)
                    .fold(failure, |failure, line| failure.evidence(escaped(line)))
                    .into());
            }
        }
    }

    /// Starts the service, and waits until it has loaded its data.
    pub async fn start(&self) -> Result<Info, Stop> {
        let home = &self.home;
        if !matches!(look(home.cx, home.server).await?, Seen::Up(_)) {
            let said = home.run(Command::new(home.place.start.iter().cloned()).within(COMMAND)).await?;
            said.success("starting the service", home.host)
                .map_err(|failure| failure.means("the server is not running").next("look at its log on that host"))?;
        }
        let mut patience = Patience::new(home.cx, Some(self.input.within.as_deref().unwrap_or("30m")), BETWEEN)?;
        let began = Instant::now();
        loop {
            let seen = look(home.cx, home.server).await?;
            let missing = match seen {
                Seen::Up(info) if !info.is_on("loading") => return Ok(info),
                other => other,
            };
            let gone = matches!(missing, Seen::Refused) && began.elapsed() > REFUSING;
            let missing = format!("{} {}", address(home.server), missing.words());
            if gone || !patience.again(&missing).await? {
                return Err(Failure::new(format!("the server was started, and {missing}"))
                    .means("it does not serve; the old data folder is whole under its dated name")
                    .next("look at its log on that host; then retry, or take the swap back")
                    .into());
            }
        }
    }

    pub async fn rename(&self, from: &str, to: &str) -> Result<(), Stop> {
        self.home.must("renaming a data folder", &["mv", "-n", "-T", "--", from, to]).await?;
        Ok(())
    }

    /// What a server that has started must hold: all that the snapshot held, but what expires.
    pub fn verify(&self, info: &Info) -> Result<(), Failure> {
        let held = &self.held;
        let lasting = held.keys - held.expiring.min(held.keys);
        let (now, enough) = match info.loaded() {
            Some((loaded, expired)) => (loaded + expired, lasting..=held.keys),
            // Clients may write again already, and nothing else is told by servers before 7.
            None => (info.total().keys, 1..=u64::MAX),
        };
        if enough.contains(&now) && !info.is_replica() {
            return Ok(());
        }
        let what = if info.is_replica() {
            "the server came up as a replica: it takes its data from its master".to_owned()
        } else {
            format!("the server came up with {now} keys where the snapshot holds {} ({lasting} that last)", held.keys)
        };
        Err(Failure::new(what)
            .means("it does not serve what was restored; the old data folder is whole under its dated name")
            .next("look at its log and its settings (dir, dbfilename, appendonly); take the swap back, or mend it and retry"))
    }
}
