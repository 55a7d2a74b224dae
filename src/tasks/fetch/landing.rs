//! One object of a store as a file: whole and checked, or not there. What came before a break is kept beside it, and a
//! new attempt goes on from there.

use super::disk::Direct;
use crate::model::id::StoreId;
use crate::model::proof::Level;
use crate::model::size::ByteCount;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::proof::intake::{Feeder, Inlet, pipe};
use crate::proof::layers::Limits;
use crate::proof::{Examined, Fault, Job, examine};
use crate::stores::local::{UNFINISHED, flush, name_new};
use crate::stores::{DISK_BLOCK, Pin, Store};
use crate::tasks::checks::reading::{Meter, Object, read_through};
use crate::tasks::checks::subject::gone;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::source::store_failure;
use bytes::Bytes;
use cap_std::fs::Dir;
use rustix::fs::{FlockOperation, Mode, OFlags};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

/// Bytes that are read again at a time.
const PIECE: usize = 256 << 10;

/// Where an object is to land.
#[derive(Clone)]
pub struct Target {
    /// The folder of the new file.
    pub folder: Arc<Dir>,
    /// The file's name in it.
    pub name: String,
    /// Its name until it is whole; another object has another one.
    pub part: String,
    /// Path of the new file, for people; escaped.
    pub shown: String,
}

/// A file that is in place.
pub struct Landed {
    /// Absent where something that costs less was compared.
    pub sha256: Option<String>,
    /// They agree with a sum that was recorded apart from them.
    pub compared: bool,
    /// What they were compared with.
    pub checked: String,
    /// Bytes that an earlier attempt had brought.
    pub kept: u64,
}

/// The name under which something is unfinished: of these very bytes, for this very place.
pub fn part_name(store: &StoreId, path: &str, pin: &Pin, to: &str) -> String {
    let identity = format!("{store}\0{path}\0{}\0{}\0{to}", pin.size, pin.mark());
    format!("{UNFINISHED}{}", &hex::encode(Sha256::digest(identity))[..24])
}

/// Runs file work aside.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|lost| Err(Failure::new(format!("the work on the file broke: {lost}"))))
}

impl Target {
    fn failed(&self, doing: &str, error: &io::Error) -> Failure {
        self.kept(Failure::new(format!("{doing} {} failed: {error}", self.shown)))
    }

    /// A failure after which the next attempt goes on from what is there.
    fn kept(&self, failure: Failure) -> Failure {
        failure
            .means(format!("nothing is at {} yet; what came so far is kept in its folder as {}", self.shown, self.part))
            .next("mend what the error names, then fetch again: it goes on from there")
    }

    /// The unfinished file, and how many bytes it has already.
    fn begin(&self, size: u64) -> Result<(File, u64), Failure> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.folder, self.part.as_str(), flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(opened.map_err(|error| self.failed("opening the unfinished file of", &error.into()))?);
        let meta = file.metadata().map_err(|error| self.failed("looking at the unfinished file of", &error))?;
        if !meta.is_file() || meta.nlink() != 1 || meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(Failure::new(format!("{} beside {} is not ours", self.part, self.shown))
                .means("it stands where the unfinished file belongs; nothing was read")
                .next("look at it and move it away, or fetch to another folder"));
        }
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::new(format!("another fetch to {} is under way", self.shown))
                .means("nothing was read")
                .next("wait for it, or fetch to another place")
        })?;
        let whole_blocks = meta.len() - meta.len() % DISK_BLOCK as u64;
        let have = if meta.len() <= size { whole_blocks } else { 0 };
        file.set_len(have).map_err(|error| self.failed("cutting the unfinished file of", &error))?;
        Ok((file, have))
    }

    /// Puts the whole file in place.
    fn finish(&self, file: &File) -> Result<(), Failure> {
        file.sync_all().map_err(|error| self.failed("writing", &error))?;
        name_new(&self.folder, &self.part, &self.name).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => taken(&self.shown),
            _ => self.failed("naming", &error),
        })?;
        flush(&self.folder).map_err(|error| Failure::new(format!("writing the folder of {}: {error}", self.shown)))
    }
}

pub fn taken(shown: &str) -> Failure {
    Failure::new(format!("{shown} is there already"))
        .means("nothing is ever replaced; it was not touched")
        .next("fetch to another name, or move it away")
}

/// Reads an object under its pin, holds it against everything that was recorded of it, and puts it in place.
pub async fn land(cx: &TaskContext, store: &dyn Store, object: Object<'_>, target: &Target) -> Result<Landed, Stop> {
    let (of, size) = (target.clone(), object.pin.size);
    let (file, have) = aside(move || of.begin(size)).await?;
    let stream = store.read(object.path, have, Some(object.pin)).await.map_err(|error| gone(&error))?;
    let meter = Meter::new(cx, object.before);
    let (shared, recorded) = (Arc::clone(&meter), object.recorded);
    let landing = read_through(cx, stream, &meter, object.total, move |inlet| {
        let job = Job {
            wanted: Level::L2,
            size,
            recorded,
            limits: Limits::default(),
            watch: &*shared,
            identity: false,
            now_at: &|_| {},
        };
        let (to, written) = pipe();
        // Writing and summing up take about as long as each other: each has its thread.
        let (examined, trouble) = std::thread::scope(|scope| {
            let writing = scope.spawn(|| write_through(&file, have, inlet, to));
            let examined = if size == 0 { Examined::listed(0) } else { examine(written, &job) };
            (examined, writing.join())
        });
        let trouble = trouble.unwrap_or_else(|_| Some(io::Error::other("the writer broke")));
        (file, examined, trouble)
    });
    let (file, examined, trouble) = landing.await.map_err(|failure| target.kept(failure))?;
    let sha256 = match (examined.fault, trouble) {
        (_, Some(error)) => return Err(target.failed("writing", &error).into()),
        (None, None) => examined.digests.and_then(|digests| digests.sha256),
        (Some(_), None) if size == 0 => Some(hex::encode(Sha256::digest(b""))),
        (Some(fault), None) => return Err(broken(cx, target, fault, (object.path, have)).await),
    };
    let of = target.clone();
    aside(move || of.finish(&file)).await?;
    let checked = examined.inside.facts.get("checksum").cloned().unwrap_or_default();
    Ok(Landed { sha256, compared: examined.level >= Level::L2, checked, kept: have })
}

/// What is told of a reading that did not come to its good end.
async fn broken(cx: &TaskContext, target: &Target, fault: Fault, (path, have): (&str, u64)) -> Stop {
    match (fault, cx.cancel.reason()) {
        (Fault::Cancelled, Some(reason)) => Stop::Cancelled(reason),
        (fault @ Fault::Bad { .. }, _) => {
            let (folder, part) = (Arc::clone(&target.folder), target.part.clone());
            // Going on from wrong bytes would make wrong ones again.
            let removed =
                aside(move || folder.remove_file(&part).map_err(|error| Failure::new(error.to_string()))).await;
            let failure = Failure::new(format!("`{}`: {fault}", escaped(path)))
                .means(format!("these are not the bytes that were recorded; nothing is at {}", target.shown))
                .next("fetch once more; if it says the same, prove the copy with `relight verify` and choose another");
            let failure = if have > 0 {
                failure.evidence(format!("{} of it had come in an earlier attempt", ByteCount(have)))
            } else {
                failure
            };
            removed.err().into_iter().fold(failure, |failure, left| failure.evidence(left.what)).into()
        }
        (Fault::Lost(error), _) => {
            let told = store_failure(&error);
            let next = format!("{}; then fetch again: it goes on from there", told.next);
            target.kept(told).next(next).into()
        }
        (other, _) => target.kept(Failure::new(format!("`{}`: {other}", escaped(path)))).into(),
    }
}

/// Why the bytes did not all go through the file.
enum Broke {
    /// The file could not be read or written: nothing that speaks about the backup.
    File(io::Error),
    /// No more came.
    Line(Fault),
    /// Whoever looks at the bytes wants no more of them.
    Enough,
}

/// Writes what comes and hands it on; before it, the `again` bytes that the file has already. Gives back why the file
/// could not be read or written.
fn write_through(file: &File, again: u64, mut from: Inlet, to: Feeder) -> Option<io::Error> {
    match read_again(file, again, &to).and_then(|()| write_new(file, &mut from, &to)) {
        Ok(()) => to.end(Ok(())),
        Err(Broke::Line(fault)) => to.end(Err(fault)),
        Err(Broke::Enough) => {}
        Err(Broke::File(error)) => {
            to.end(Err(Fault::Cancelled));
            return Some(error);
        }
    }
    None
}

fn read_again(mut file: &File, mut again: u64, to: &Feeder) -> Result<(), Broke> {
    while again > 0 {
        let mut piece = vec![0; usize::try_from(again).map_or(PIECE, |again| again.min(PIECE))];
        file.read_exact(&mut piece).map_err(Broke::File)?;
        again -= piece.len() as u64;
        pass(to, piece.into())?;
    }
    Ok(())
}

fn write_new(file: &File, from: &mut Inlet, to: &Feeder) -> Result<(), Broke> {
    std::thread::scope(|scope| {
        let mut disk = Direct::new(scope, file);
        let end = loop {
            let piece = match from.next_piece() {
                Ok(Some(piece)) => piece,
                Ok(None) => break Ok(()),
                Err(fault) => break Err(Broke::Line(fault)),
            };
            // Summed up while it is written.
            let passed = pass(to, piece.clone());
            if !disk.write(piece) || passed.is_err() {
                break passed;
            }
        };
        // What came is kept, whatever ended it.
        disk.finish().map_err(Broke::File).and(end)
    })
}

fn pass(to: &Feeder, piece: Bytes) -> Result<(), Broke> {
    if to.pass(piece) { Ok(()) } else { Err(Broke::Enough) }
}
