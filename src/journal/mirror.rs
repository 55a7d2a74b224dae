//! A run's journal in a shared place: each line an entry of its own, created once and never changed.
//!
//! An entry is called `runs/<run>/journal/<number>-<epoch>`: the epoch is that of the lease under which the
//! line was written. A fenced-off holder may still put lines there, and late: the journal is the chain that leads
//! to the last entry of the highest epoch, and what does not lie on it was never the run's.

use super::line;
use super::scan::{Head, scan};
use crate::event::{Event, EventKind, wire};
use crate::model::id::RunId;
use crate::stores::place::{MAX_ENTRY, SharedPlace};
use crate::stores::{StoreError, StoreErrorKind};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};
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
        let folder = folder(run);
        let mut known: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for (seq, epoch) in place.list(&folder).await?.iter().filter_map(|name| numbers(name, &folder)) {
            known.entry(seq).or_default().insert(epoch);
        }
        let epochs: BTreeSet<u64> = known.values().flatten().copied().collect();
        for top in epochs.into_iter().rev() {
            let Some(likely) = likely(&known, top) else { continue };
            self.read(place, likely.iter().map(|(seq, epoch)| entry(run, *seq, *epoch)).collect()).await?;
            let mut chosen: Vec<(String, Bytes)> = Vec::new();
            let mut at = top;
            for (seq, _) in likely {
                let next = chosen.last().map(|(_, line)| line.clone());
                let (epoch, name, line) = self.before(place, (run, &known), (seq, at), next.as_ref()).await?;
                chosen.push((name, line));
                at = epoch;
            }
            chosen.reverse();
            let lines = chosen.iter().map(|(_, line)| line.clone()).collect();
            self.0 = chosen.into_iter().collect();
            return whole(run, lines);
        }
        Err(MirrorError::Empty(run.clone()))
    }

    /// The entry with this number that `next` was written after: of several, a holder that was fenced off may
    /// have put one there late. Where none fits, the likeliest is told as it is.
    async fn before(
        &mut self,
        place: &dyn SharedPlace,
        (run, known): (&RunId, &BTreeMap<u64, BTreeSet<u64>>),
        (seq, at): (u64, u64),
        next: Option<&Bytes>,
    ) -> Result<(u64, String, Bytes), MirrorError> {
        let mut likeliest = None;
        for epoch in known.get(&seq).into_iter().flat_map(|epochs| epochs.range(..=at).rev()) {
            let name = entry(run, seq, *epoch);
            self.read(place, vec![name.clone()]).await?;
            let Some(line) = self.0.get(&name).cloned() else { continue };
            if next.is_none_or(|next| follows(&line, next)) {
                return Ok((*epoch, name, line));
            }
            likeliest.get_or_insert((*epoch, name, line));
        }
        likeliest.ok_or_else(|| MirrorError::Empty(run.clone()))
    }

    async fn read(&mut self, place: &dyn SharedPlace, names: Vec<String>) -> Result<(), StoreError> {
        let unknown = names.into_iter().filter(|name| !self.0.contains_key(name));
        let read = |name: String| async move { place.read(&name).await.map(|line| (name, line)) };
        let read: Vec<(String, Bytes)> =
            stream::iter(unknown.collect::<Vec<_>>()).map(read).buffered(AT_ONCE).try_collect().await?;
        self.0.extend(read);
        Ok(())
    }
}

/// The entries that most likely make the journal of whoever wrote under `top`, the last one first. `None` where
/// one is lacking that must be there.
fn likely(known: &BTreeMap<u64, BTreeSet<u64>>, top: u64) -> Option<Vec<(u64, u64)>> {
    let under = |seq: u64| known.get(&seq).is_some_and(|epochs| epochs.contains(&top));
    let first = known.keys().copied().find(|seq| under(*seq))?;
    let last = (first..=*known.keys().next_back()?).take_while(|seq| under(*seq)).last()?;
    let mut at = top;
    let down = (1..=last).rev().map(|seq| {
        at = *known.get(&seq)?.range(..=at).next_back()?;
        Some((seq, at))
    });
    down.collect()
}

/// Whether `line` is the one that `next` was chained to.
fn follows(line: &Bytes, next: &Bytes) -> bool {
    let parts = line::split(line.trim_ascii_end()).zip(line::split(next.trim_ascii_end()));
    parts.is_some_and(|((hash, _), (wanted, body))| line::chained(hash, body) == wanted)
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

/// A journal as its lines lie one after another.
#[async_trait::async_trait]
pub trait Tape: std::fmt::Debug + Send + Sync {
    /// The whole line that begins there, with its line feed.
    async fn line(&self, offset: u64) -> Result<Option<Bytes>, MirrorError>;
}

/// Follows a journal on disk and puts its lines into the place, in order.
#[derive(Debug)]
pub struct Mirror {
    run: RunId,
    tape: Box<dyn Tape>,
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
        Self::from(Box::new(TapeFile(dir.join(super::JOURNAL))), run)
    }

    pub fn from(tape: Box<dyn Tape>, run: &RunId) -> Self {
        Self { run: run.clone(), tape, offset: 0, seq: 0, epoch: 0, there: None }
    }

    /// Puts all lines up to `seq` there that are not yet. What was put stays put when it fails half-way.
    pub async fn put_up_to(&mut self, seq: u64, place: &dyn SharedPlace) -> Result<(), MirrorError> {
        if self.there.is_none() {
            self.there = Some(place.list(&folder(&self.run)).await?);
        }
        while self.seq < seq {
            let Some(line) = self.tape.line(self.offset).await? else { return Ok(()) };
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
}

/// The journal's file.
#[derive(Debug)]
struct TapeFile(PathBuf);

#[async_trait::async_trait]
impl Tape for TapeFile {
    async fn line(&self, offset: u64) -> Result<Option<Bytes>, MirrorError> {
        let local = |source| MirrorError::Local { path: self.0.clone(), source };
        let mut file = tokio::fs::File::open(&self.0).await.map_err(local)?;
        file.seek(std::io::SeekFrom::Start(offset)).await.map_err(local)?;
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
