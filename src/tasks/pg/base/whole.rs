//! A base backup in the tar form, read back to its last byte: every file under its checksum, and the log that it needs.

use crate::model::content::{Content, Form};
use crate::model::task::{Failure, Progress, Unit};
use crate::model::text::escaped;
use crate::model::wal::Segment;
use crate::proof::fault::Fault;
use crate::proof::forms::tar::{self, Member as TarMember, Visitor};
use crate::proof::layers::{self, Limits};
use crate::proof::manifest::{LONGEST, Manifest};
use crate::proof::source::{Digests, Source, Watch};
use crate::proof::tree::{Part, compare, part};
use crate::tasks::bundle::Member;
use crate::tasks::context::{Cancel, TaskContext};
use crate::tasks::input::Stop;
use crate::tasks::pg::pair::look::Lsn;
use crate::tasks::progress::telling;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub const MANIFEST: &str = "backup_manifest";
const LOG: &str = "pg_wal.tar.gz";

/// What was found, member by member in the order in which stores take them: the manifest last.
pub struct Whole {
    pub members: Vec<Member>,
    /// Files of the cluster, and their bytes.
    pub files: u64,
    pub bytes: u64,
    pub timeline: u32,
    pub start: Lsn,
    pub stop: Lsn,
}

#[derive(Deserialize)]
struct Ranges {
    #[serde(rename = "WAL-Ranges")]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "Timeline")]
    timeline: u32,
    #[serde(rename = "Start-LSN")]
    start: String,
    #[serde(rename = "End-LSN")]
    end: String,
}

/// Bytes read so far of all members, and whether somebody wants an end of it.
struct Meter {
    before: AtomicU64,
    now: AtomicU64,
    cancel: Cancel,
}

impl Watch for Meter {
    fn read_so_far(&self, bytes: u64) {
        self.now.store(bytes, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.cancel.reason().is_some()
    }
}

/// Reads what the program left in `folder`.
pub async fn read_back(cx: &TaskContext, folder: &Path, segment_bytes: u64) -> Result<Whole, Stop> {
    let meter = Arc::new(Meter { before: AtomicU64::new(0), now: AtomicU64::new(0), cancel: cx.cancel.clone() });
    let (folder, shared) = (folder.to_owned(), Arc::clone(&meter));
    let names = names(&folder)?;
    let total = names.values().map(|(_, bytes)| bytes).sum();
    let look = || Progress {
        done: meter.before.load(Ordering::Relaxed) + meter.now.load(Ordering::Relaxed),
        total: Some(total),
        unit: Unit::Bytes,
        note: "reading it back".to_owned(),
    };
    let reading = tokio::task::spawn_blocking(move || examine(&names, segment_bytes, &shared));
    let read = telling(cx, look, reading).await;
    let read = read.map_err(|error| Failure::new(format!("the reading thread broke: {error}")))?;
    match read {
        Ok(whole) => Ok(whole),
        Err(Fault::Cancelled) => {
            Err(cx.cancel.reason().map_or_else(|| Failure::new("the reading was cut short").into(), Stop::Cancelled))
        }
        Err(fault) => Err(Failure::new(format!("the new base backup is not whole: {fault}"))
            .means("it was published nowhere, and the run's folder holds nothing of it any more")
            .next("see what it says; a retry makes the backup anew")
            .into()),
    }
}

type Names = BTreeMap<String, (PathBuf, u64)>;

fn names(folder: &Path) -> Result<Names, Failure> {
    let unread = |error: std::io::Error| Failure::new(format!("the run's folder cannot be read: {error}"));
    let mut names = Names::new();
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        names.insert(name, (entry.path(), entry.metadata().map_err(unread)?.len()));
    }
    Ok(names)
}

fn opened(path: &Path) -> Result<BufReader<File>, Fault> {
    let file = File::open(path).map_err(|error| Fault::from_io(&error, "the run's folder", None))?;
    Ok(BufReader::with_capacity(128 << 10, file))
}

fn examine(names: &Names, segment_bytes: u64, meter: &Meter) -> Result<Whole, Fault> {
    let (path, size) = names.get(MANIFEST).ok_or_else(|| Fault::bad("it has no backup_manifest"))?;
    if *size > LONGEST {
        return Err(Fault::bad(format!("its manifest has {size} bytes, at most {LONGEST} are read")));
    }
    let text = std::fs::read(path).map_err(|error| Fault::from_io(&error, "the manifest", None))?;
    let mut manifest = Manifest::of_base_backup(&text)?;
    let range = range(&text)?;
    let mut members = Vec::new();
    let mut log = None;
    for (name, (path, size)) in names.iter().filter(|(name, _)| *name != MANIFEST) {
        let digests = match part(Some(&manifest), "", name) {
            Part::Archive { below } if name.starts_with("base.tar") || !below.is_empty() => {
                compare(opened(path)?, &Part::Archive { below }, *size, &mut manifest, meter)
            }
            _ if name == LOG => read_log(opened(path)?, *size, meter).map(|(digests, segments)| {
                log = Some(segments);
                digests
            }),
            _ => Err(Fault::bad("it is nothing that a base backup consists of")),
        };
        let sha256 = digests.map_err(|fault| fault.within(&escaped(name)))?.sha256;
        let sha256 = sha256.ok_or_else(|| Fault::bad("no SHA-256 was made of it"))?;
        meter.now.store(0, Ordering::Relaxed);
        meter.before.fetch_add(*size, Ordering::Relaxed);
        members.push(Member { name: name.clone(), bytes: *size, sha256 });
    }
    manifest.close();
    if manifest.wrong > 0 {
        return Err(Fault::bad(format!("{} files disagree: {}", manifest.wrong, manifest.problems.join("; "))));
    }
    if manifest.unsummed > 0 || manifest.unlisted > 0 {
        let (unsummed, unlisted) = (manifest.unsummed, manifest.unlisted);
        return Err(Fault::bad(format!("{unsummed} files have no checksum, {unlisted} are not listed")));
    }
    let log = log.ok_or_else(|| Fault::bad(format!("it has no {LOG}, so not the log from its start to its end")))?;
    reaches(&log, &range, segment_bytes)?;
    members.push(Member { name: MANIFEST.to_owned(), bytes: *size, sha256: hex::encode(Sha256::digest(&text)) });
    let (timeline, start, stop) = range;
    Ok(Whole { members, files: manifest.agreed, bytes: manifest.agreed_bytes, timeline, start, stop })
}

fn range(manifest: &[u8]) -> Result<(u32, Lsn, Lsn), Fault> {
    let parsed: Ranges = serde_json::from_slice(manifest)
        .map_err(|error| Fault::bad(format!("its manifest tells no place in the log: {error}")))?;
    let lsn = |text: &str| Lsn::parse(text).ok_or_else(|| Fault::bad("its manifest tells no place in the log"));
    match (parsed.ranges.first(), parsed.ranges.last()) {
        (Some(first), Some(last)) => Ok((last.timeline, lsn(&first.start)?, lsn(&last.end)?)),
        _ => Err(Fault::bad("its manifest tells no place in the log")),
    }
}

/// Names and sizes of the members of an archive of log segments.
#[derive(Default)]
struct Segments(BTreeMap<String, u64>);

impl Visitor for Segments {
    fn file(&mut self, member: &TarMember) {
        self.0.insert(String::from_utf8_lossy(&member.path).trim_start_matches("./").to_owned(), member.size);
    }

    fn piece(&mut self, _: &[u8]) {}

    fn done(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

fn read_log(file: BufReader<File>, size: u64, watch: &dyn Watch) -> Result<(Digests, BTreeMap<String, u64>), Fault> {
    let mut source = Source::new(file, watch);
    let mut found = Content { wrapped: Vec::new(), form: Form::Unknown };
    let mut segments = Segments::default();
    {
        let opened = layers::open(Box::new(&mut source), size, Limits::default(), watch, &mut found)?;
        if opened.form != Form::Tar {
            return Err(Fault::bad(format!("it is {} and not an archive", opened.form)));
        }
        tar::walk(opened.reader, &mut segments)?;
    }
    Ok((source.drain()?, segments.0))
}

/// Every segment from the backup's start to its end.
fn reaches(log: &BTreeMap<String, u64>, range: &(u32, Lsn, Lsn), segment_bytes: u64) -> Result<(), Fault> {
    let (timeline, start, stop) = *range;
    let per_file = 0x1_0000_0000 / segment_bytes;
    // The byte before the end is the last that is needed.
    for number in start.0 / segment_bytes..=stop.0.saturating_sub(1) / segment_bytes {
        let name = if segment_bytes == 16 << 20 {
            Segment { timeline, number }.to_string()
        } else {
            format!("{timeline:08X}{:08X}{:08X}", number / per_file, number % per_file)
        };
        if log.get(&name) != Some(&segment_bytes) {
            return Err(Fault::bad(format!("{LOG} lacks segment {name}, without which it cannot become consistent")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_a_backup_has_every_segment_from_its_start_to_its_end() {
        let size = 16 << 20;
        let log: BTreeMap<String, u64> =
            ["000000010000000000000002", "000000010000000000000003"].map(|name| (name.to_owned(), size)).into();
        let range = |start: u64, stop: u64| (1, Lsn(start), Lsn(stop));
        assert!(reaches(&log, &range(0x0200_0028, 0x0300_0100), size).is_ok());
        assert!(reaches(&log, &range(0x0200_0028, 0x0400_0000), size).is_ok(), "it ends with the segment");
        assert!(reaches(&log, &range(0x0200_0028, 0x0400_0001), size).unwrap_err().to_string().contains("04"));
        assert!(reaches(&log, &range(0x0100_0028, 0x0300_0100), size).is_err());
    }
}
