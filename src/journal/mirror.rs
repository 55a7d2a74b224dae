//! A run's journal in a shared place: each line an entry of its own, created once and never changed.
//!
//! An entry is called `runs/<run>/journal/<number>-<epoch>`: the epoch is that of the lease under which the
//! line was written. A fenced-off holder may still put lines there; a reader that has gone over to a higher
//! epoch does not come back to a lower one, so they are never taken for the run's.

use super::line;
use super::scan::{Head, scan};
use crate::event::{Event, EventKind, wire};
use crate::model::id::RunId;
use crate::stores::place::{MAX_ENTRY, SharedPlace};
use crate::stores::{StoreError, StoreErrorKind};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

/// Entries that are read at once.
const AT_ONCE: usize = 8;
/// Most bytes of a journal that are taken into memory.
const MAX_BYTES: usize = 256 << 20;

#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    #[error(transparent)]
    Place(#[from] StoreError),
    #[error("the mirror of run {run} is damaged: {what}")]
    Damaged { run: RunId, what: String },
    #[error("run {0} has no mirror")]
    Empty(RunId),
    #[error("the journal {} cannot be read for its mirror: {source}", path.display())]
    Local { path: PathBuf, source: std::io::Error },
    #[error("entry {0} of the mirror holds another line than this journal: someone else writes this run")]
    Other(u64),
}

fn folder(run: &RunId) -> String {
    format!("runs/{run}/journal/")
}

fn entry(run: &RunId, seq: u64, epoch: u64) -> String {
    format!("{}{seq:010}-{epoch:010}", folder(run))
}

fn numbers(name: &str, folder: &str) -> Option<(u64, u64)> {
    let (seq, epoch) = name.strip_prefix(folder)?.split_once('-')?;
    Some((seq.parse().ok()?, epoch.parse().ok()?))
}

/// A journal as its mirror tells it, checked by its chain.
#[derive(Debug)]
pub struct Copied {
    /// With their line feeds.
    pub lines: Vec<Bytes>,
    pub events: Vec<Event>,
    pub hash: String,
}

/// Reads a run's mirror up to its last whole line.
pub async fn copy(place: &dyn SharedPlace, run: &RunId) -> Result<Copied, MirrorError> {
    Seen::default().copy(place, run).await
}

/// Entries of a mirror that were read before: they never change, so only new ones are read again.
#[derive(Debug, Default)]
pub struct Seen(BTreeMap<String, Bytes>);

impl Seen {
    /// Like [`copy`], reading only what was not read before.
    pub async fn copy(&mut self, place: &dyn SharedPlace, run: &RunId) -> Result<Copied, MirrorError> {
        let chosen = choose(place, run).await?;
        let known = std::mem::take(&mut self.0);
        let read = |name: String| {
            let known = known.get(&name).cloned();
            async move {
                let line = match known {
                    Some(line) => line,
                    None => place.read(&name).await?,
                };
                Ok::<_, StoreError>((name, line))
            }
        };
        let read: Vec<(String, Bytes)> = stream::iter(chosen).map(read).buffered(AT_ONCE).try_collect().await?;
        let lines: Vec<Bytes> = read.iter().map(|(_, line)| line.clone()).collect();
        self.0 = read.into_iter().collect();
        whole(run, lines)
    }
}

/// Names of the entries that make the journal, in order.
async fn choose(place: &dyn SharedPlace, run: &RunId) -> Result<Vec<String>, MirrorError> {
    let folder = folder(run);
    let mut known: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (seq, epoch) in place.list(&folder).await?.iter().filter_map(|name| numbers(name, &folder)) {
        known.entry(seq).or_default().push(epoch);
    }
    let mut chosen = Vec::new();
    let mut at = 0;
    for seq in 1.. {
        let highest = known.get(&seq).and_then(|epochs| epochs.iter().max());
        let Some(epoch) = highest.filter(|epoch| **epoch >= at) else { break };
        at = *epoch;
        chosen.push(entry(run, seq, at));
    }
    if chosen.is_empty() { Err(MirrorError::Empty(run.clone())) } else { Ok(chosen) }
}

fn whole(run: &RunId, lines: Vec<Bytes>) -> Result<Copied, MirrorError> {
    let damaged = |what: String| MirrorError::Damaged { run: run.clone(), what };
    if lines.iter().map(Bytes::len).sum::<usize>() > MAX_BYTES {
        return Err(damaged(format!("it is larger than {MAX_BYTES} bytes")));
    }
    let bytes = lines.concat();
    let last = lines.last().and_then(|line| line::split(line.trim_ascii_end())).map(|(hash, _)| hash.to_owned());
    let head =
        Head { seq: lines.len() as u64, hash: last.ok_or_else(|| damaged("its last line is broken".to_owned()))? };
    let found = scan(&bytes, Some(&head));
    if let Some(damage) = found.damage.first() {
        return Err(damaged(damage.to_string()));
    }
    if found.torn || found.events.len() != lines.len() || found.events.iter().any(|event| &event.run != run) {
        return Err(damaged("its lines are not those of the run".to_owned()));
    }
    Ok(Copied { lines, events: found.events, hash: found.hash })
}

/// Follows a journal on disk and puts its lines into the place, in order.
#[derive(Debug)]
pub struct Mirror {
    run: RunId,
    path: PathBuf,
    /// Bytes that are mirrored.
    offset: u64,
    /// Number of the last mirrored line.
    pub seq: u64,
    epoch: u64,
    /// What an earlier runner has put there, where it was looked at.
    there: Option<Vec<String>>,
}

impl Mirror {
    pub fn of(dir: &Path, run: &RunId) -> Self {
        Self { run: run.clone(), path: dir.join(super::JOURNAL), offset: 0, seq: 0, epoch: 0, there: None }
    }

    /// Puts all lines up to `seq` there that are not yet. What was put stays put when it fails half-way.
    pub async fn put_up_to(&mut self, seq: u64, place: &dyn SharedPlace) -> Result<(), MirrorError> {
        if self.there.is_none() {
            self.there = Some(place.list(&folder(&self.run)).await?);
        }
        while self.seq < seq {
            let Some(line) = self.next_line().await? else { return Ok(()) };
            let broken = |what: &str| MirrorError::Damaged { run: self.run.clone(), what: what.to_owned() };
            let (_, body) = line::split(line.trim_ascii_end()).ok_or_else(|| broken("a line is not one"))?;
            let event = wire::decode(body).map_err(|why| broken(&why))?;
            let epoch = match event.kind {
                EventKind::LeaseAcquired { epoch, .. } => epoch,
                _ => self.epoch,
            };
            let name = entry(&self.run, event.seq, epoch);
            let length = line.len() as u64;
            let there = self.there.as_ref().is_some_and(|names| names.binary_search(&name).is_ok());
            if !there {
                self.put(&name, event.seq, line, place).await?;
            }
            self.offset += length;
            self.seq = event.seq;
            self.epoch = epoch;
        }
        Ok(())
    }

    async fn put(&self, name: &str, seq: u64, line: Bytes, place: &dyn SharedPlace) -> Result<(), MirrorError> {
        match place.create(name, line.clone()).await {
            // A write whose answer was lost, or someone else's.
            Err(error) if error.kind == StoreErrorKind::AlreadyExists => {
                if place.read(name).await? == line {
                    Ok(())
                } else {
                    Err(MirrorError::Other(seq))
                }
            }
            other => Ok(other?),
        }
    }

    /// The line after those that are mirrored, with its line feed.
    async fn next_line(&self) -> Result<Option<Bytes>, MirrorError> {
        let local = |source| MirrorError::Local { path: self.path.clone(), source };
        let mut file = tokio::fs::File::open(&self.path).await.map_err(local)?;
        file.seek(std::io::SeekFrom::Start(self.offset)).await.map_err(local)?;
        let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let read = file.read(&mut piece).await.map_err(local)?;
            if read == 0 {
                return Ok(None);
            }
            let end = piece[..read].iter().position(|byte| *byte == b'\n');
            bytes.extend_from_slice(&piece[..end.map_or(read, |end| end + 1)]);
            if end.is_some() {
                return Ok(Some(bytes.into()));
            }
            if bytes.len() as u64 > MAX_ENTRY {
                return Err(local(std::io::Error::other("a line is longer than a mirror takes")));
            }
        }
    }
}
