//! Finds segments of an asset's log archive in its stores, and reads them whole: opened, and held to what they say.

use crate::catalog::decompress;
use crate::catalog::pattern::Pattern;
use crate::catalog::sniff::{self, Layer};
use crate::catalog::wal::WalName;
use crate::model::backup::BackupKind;
use crate::model::estate::Source;
use crate::model::id::{AssetId, StoreId};
use crate::model::size::ByteCount;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::model::wal::Segment;
use crate::proof::forms::wal::Head;
use crate::stores::{ObjectMeta, StoreError};
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::io::Read;

/// Segment size that names of the catalog are counted in.
pub const SEGMENT: u64 = 16 << 20;
/// Stored bytes beyond a segment's own that a container around it may have.
const SLACK: u64 = 1 << 20;
/// Longest history file, a line per promotion.
const HISTORY: u64 = 256 << 10;
const DEEPEST: usize = 4;

/// Where the same file lies, in the configured order of stores.
pub type Places = Vec<(StoreId, ObjectMeta)>;

#[derive(Debug, Default)]
pub struct Index {
    pub segments: BTreeMap<Segment, Places>,
    pub histories: BTreeMap<u32, Places>,
    /// Stores that could not be listed to their end.
    pub unseen: Vec<String>,
}

/// Lists the archive of an asset, and keeps what is wanted.
pub async fn index(cx: &TaskContext, asset: &AssetId, wanted: impl Fn(&Segment) -> bool) -> Result<Index, Stop> {
    let mut index = Index::default();
    let sources = cx.estate.asset(asset).map(|asset| asset.sources.as_slice()).unwrap_or_default();
    let holds =
        |source: &&Source| matches!(source.kind, BackupKind::Log | BackupKind::Incremental | BackupKind::Differential);
    for source in sources.iter().filter(holds) {
        let listing = list(cx, source, &wanted, &mut index);
        tokio::select! {
            listed = listing => if let Err(why) = listed {
                index.unseen.push(format!("store `{}`: {why}", source.store));
            },
            reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
        }
    }
    Ok(index)
}

async fn list(
    cx: &TaskContext,
    source: &Source,
    wanted: &impl Fn(&Segment) -> bool,
    index: &mut Index,
) -> Result<(), String> {
    let store = cx.stores.get(&source.store).ok_or("it is not configured")?;
    let pattern = Pattern::parse(&source.pattern).map_err(|error| error.message)?;
    let mut pages = store.list(pattern.prefix(), None);
    while let Some(page) = pages.try_next().await.map_err(|error| error.to_string())? {
        for meta in page.objects {
            let base = meta.name.rsplit('/').next().unwrap_or_default();
            let Some(name) = WalName::parse(base) else { continue };
            if pattern.matches(&meta.name).is_none() {
                continue;
            }
            let place = match name {
                WalName::Segment(segment) if wanted(&segment) => index.segments.entry(segment).or_default(),
                WalName::History(timeline) => index.histories.entry(timeline).or_default(),
                _ => continue,
            };
            place.push((source.store.clone(), meta));
        }
    }
    Ok(())
}

/// A segment that was read, opened and is what its name says.
#[derive(Debug)]
pub struct Whole {
    pub head: Head,
    pub bytes: Vec<u8>,
}

/// Reads one segment from the first place that holds a good one. `cluster`: whose log it must be.
pub async fn segment(cx: &TaskContext, index: &Index, wanted: Segment, cluster: Option<u64>) -> Result<Whole, Stop> {
    let mut reasons = index.unseen.clone();
    let mut unseen = !reasons.is_empty();
    for (store, meta) in index.segments.get(&wanted).into_iter().flatten() {
        let why = match fetched(cx, store, meta, SEGMENT).await {
            Ok(bytes) => match held(&bytes, wanted, cluster) {
                Ok(head) => return Ok(Whole { head, bytes }),
                Err(why) => why,
            },
            Err(Trouble::Stop(stop)) => return Err(stop),
            Err(Trouble::Unseen(why)) => {
                unseen = true;
                why
            }
            Err(Trouble::Bad(why)) => why,
        };
        reasons.push(format!("{} in store `{store}`: {why}", escaped(&meta.name)));
    }
    let failure = Failure::new(format!("segment {wanted} of the log cannot be read"))
        .means("recovery would end before it; nothing was stopped")
        .next("mend the store or bring the segment back, scan again, or choose an earlier instant");
    let failure = reasons.into_iter().take(8).fold(failure, Failure::evidence);
    Err(if unseen { Stop::Unknown(failure) } else { Stop::Failed(failure) })
}

/// The history file of a timeline, opened.
pub async fn history(cx: &TaskContext, index: &Index, timeline: u32) -> Result<Vec<u8>, Stop> {
    let mut reasons = index.unseen.clone();
    for (store, meta) in index.histories.get(&timeline).into_iter().flatten() {
        match fetched(cx, store, meta, HISTORY).await {
            Ok(bytes) => return Ok(bytes),
            Err(Trouble::Stop(stop)) => return Err(stop),
            Err(Trouble::Bad(why) | Trouble::Unseen(why)) => reasons.push(format!("store `{store}`: {why}")),
        }
    }
    let failure = Failure::new(format!("the history file of timeline {timeline} cannot be read"))
        .means("recovery would not find the way to that timeline; nothing was stopped")
        .next("bring the file back into the archive, or choose another timeline");
    Err(reasons.into_iter().take(8).fold(failure, Failure::evidence).into())
}

enum Trouble {
    Bad(String),
    Unseen(String),
    Stop(Stop),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Trouble::Unseen(error.to_string())
    }
}

/// The bytes of an object without its compressions, at most `most`.
async fn fetched(cx: &TaskContext, store: &StoreId, meta: &ObjectMeta, most: u64) -> Result<Vec<u8>, Trouble> {
    let Some(from) = cx.stores.get(store) else { return Err(Trouble::Unseen("it is not configured".to_owned())) };
    if meta.size > most + SLACK {
        return Err(Trouble::Bad(format!("it has {}, more than such a file can have", ByteCount(meta.size))));
    }
    let pin = meta.pin();
    let reading = async {
        let mut stream = from.read(&meta.name, 0, Some(&pin)).await?;
        let mut bytes = Vec::with_capacity(usize::try_from(meta.size).unwrap_or_default());
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        Ok::<_, Trouble>(bytes)
    };
    let bytes = tokio::select! {
        bytes = reading => bytes?,
        reason = cx.cancel.cancelled() => return Err(Trouble::Stop(Stop::Cancelled(reason))),
    };
    if bytes.len() as u64 != meta.size {
        return Err(Trouble::Unseen(format!("it gave {} where {} were listed", bytes.len(), meta.size)));
    }
    let opening = tokio::task::spawn_blocking(move || opened(bytes, most));
    opening.await.map_err(|error| Trouble::Bad(error.to_string()))?.map_err(|error| Trouble::Bad(error.to_string()))
}

fn opened(mut bytes: Vec<u8>, most: u64) -> std::io::Result<Vec<u8>> {
    for _ in 0..DEEPEST {
        let Layer::Wrapping(wrapping) = sniff::layer(&bytes) else { break };
        let mut inside = Vec::new();
        decompress::decoder(wrapping, Box::new(&bytes[..]))?.take(most + 1).read_to_end(&mut inside)?;
        if inside.len() as u64 > most {
            return Err(std::io::Error::other(format!("it opens to more than {}", ByteCount(most))));
        }
        bytes = inside;
    }
    Ok(bytes)
}

fn held(bytes: &[u8], wanted: Segment, cluster: Option<u64>) -> Result<Head, String> {
    let sealed = sniff::sealed(bytes) == Some(true);
    let head = Head::parse(bytes).ok_or(if sealed {
        "it is encrypted; decrypt the archive into another store"
    } else {
        "it is no log segment of PostgreSQL 9.5 or later"
    })?;
    if u64::from(head.segment_bytes) != SEGMENT {
        let size = ByteCount(u64::from(head.segment_bytes));
        return Err(format!("its cluster writes segments of {size}; only those of {} are read", ByteCount(SEGMENT)));
    }
    if bytes.len() as u64 != SEGMENT {
        return Err(format!("it has {}, not a whole segment's", ByteCount(bytes.len() as u64)));
    }
    if head.address != wanted.number * SEGMENT || head.timeline > wanted.timeline {
        return Err("it is another segment than its name says".to_owned());
    }
    match cluster {
        Some(cluster) if head.system_identifier != cluster => {
            Err(format!("it is of cluster {}, not of {cluster}", head.system_identifier))
        }
        _ => Ok(head),
    }
}
