//! The members of an archive or of a tree of objects, one after the other, with names made safe.

use super::folder::failed;
use crate::model::content::Form;
use crate::model::task::{CancelReason, Failure};
use crate::model::text::escaped;
use crate::stores::ObjectMeta;
use crate::tasks::context::TaskContext;
use crate::tasks::decode::{self, blocking_reader, carried};
use crate::tasks::input::Stop;
use crate::tasks::source::{Source, store_failure};
use futures::{StreamExt, TryStreamExt};
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Folder,
    File,
    /// Symbolic link with its target as recorded; never leads out.
    Link(PathBuf),
    /// Another name of an earlier file.
    Hard(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Relative, without `.` and `..`; empty for the root itself.
    pub path: PathBuf,
    pub kind: Kind,
    pub size: u64,
    pub mode: Option<u32>,
    /// Seconds since the epoch.
    pub mtime: Option<i64>,
    pub owner: Option<(u32, u32)>,
}

/// Receives members in their order. Must read the content of files to their end.
pub trait Visitor: Send {
    fn member(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), Failure>;
}

#[derive(Clone, Debug)]
pub struct Limits {
    pub members: u64,
    pub bytes: u64,
    /// Leading path components to leave out.
    pub strip: u32,
    /// Only what lies in this folder of the backup, as if it were its root; empty: all of it.
    pub inside: PathBuf,
}

/// Stored bytes and members seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub bytes: Arc<AtomicU64>,
    pub members: Arc<AtomicU64>,
}

/// Walks a source on a thread of its own and hands the visitor back.
pub async fn walk<V: Visitor + 'static>(
    cx: &TaskContext,
    source: &Source,
    limits: Limits,
    seen: &Seen,
    visitor: V,
) -> Result<V, Stop> {
    let guard = Guard { cx: cx.clone(), limits: limits.clone(), seen: seen.clone(), total: 0 };
    let thread = if source.is_folder() {
        let objects = list(cx, source, &limits).await?;
        let (source, runtime) = (source.clone(), tokio::runtime::Handle::current());
        tokio::task::spawn_blocking(move || tree(guard, &source, objects, &runtime, visitor))
    } else {
        if source.content.form != Form::Tar {
            return Err(Failure::new(format!("the backup is {}, not an archive or a tree", source.content))
                .means("it cannot be unpacked; nothing was done")
                .next("choose a tar archive (plain, gzip or zstd) or a tree of objects")
                .into());
        }
        let (stream, meter) = decode::open(cx, source).await?;
        let cancel = cx.cancel.clone();
        let stopping = Box::pin(async move { cancel.cancelled().await });
        // Ends the blocking reads too when the task is cancelled.
        let stream = stream.take_until(stopping).boxed();
        let seen = seen.clone();
        let stream = stream.inspect(move |_| seen.bytes.store(meter.bytes(), Ordering::Relaxed)).boxed();
        tokio::task::spawn_blocking(move || archive(guard, blocking_reader(stream), visitor))
    };
    thread.await.map_err(|error| Failure::new(format!("the unpacking thread broke: {error}")))?
}

struct Guard {
    cx: TaskContext,
    limits: Limits,
    seen: Seen,
    total: u64,
}

impl Guard {
    fn cancelled(&self) -> Option<CancelReason> {
        self.cx.cancel.reason()
    }

    /// Counts a member in, or says which limit it breaks.
    fn admit(&mut self, size: u64) -> Result<(), Failure> {
        let count = self.seen.members.fetch_add(1, Ordering::Relaxed) + 1;
        self.total = self.total.saturating_add(size);
        let over = |what: String| {
            Failure::new(what)
                .means("the backup is larger than this machine can take; what was unpacked is not used")
                .next("make room or raise the limit in the runbook, then retry; or choose another backup")
        };
        if count > self.limits.members {
            return Err(over(format!("the backup has more than {} members", self.limits.members)));
        }
        if self.total > self.limits.bytes {
            return Err(over(format!(
                "the content is larger than {}",
                crate::model::size::ByteCount(self.limits.bytes)
            )));
        }
        Ok(())
    }
}

/// All objects below the prefix; their number and bytes must be those of the plan.
pub async fn list(cx: &TaskContext, source: &Source, limits: &Limits) -> Result<Vec<ObjectMeta>, Stop> {
    let store = source.store(cx)?;
    let mut pages = store.list(&source.path, None);
    let mut objects = Vec::new();
    loop {
        let page = tokio::select! {
            page = pages.next() => page,
            reason = cx.cancel.cancelled() => return Err(Stop::Cancelled(reason)),
        };
        let Some(page) = page else { break };
        let page = page.map_err(|error| store_failure(&error))?;
        if let Some((name, why)) = page.skipped.first() {
            return Err(Failure::new(format!("object {name} cannot be read: {why}"))
                .means("the tree would come back incomplete; nothing was done")
                .next("look at the store by hand, or choose another copy")
                .into());
        }
        objects.extend(page.objects);
        if objects.len() as u64 > limits.members {
            return Err(Failure::new(format!("the tree has more than {} objects", limits.members)).into());
        }
    }
    let bytes: u64 = objects.iter().map(|object| object.size).sum();
    if objects.len() as u64 != source.objects || bytes != source.size_bytes {
        return Err(Failure::new(format!(
            "the tree has {} objects with {bytes} bytes; the plan saw {} with {}",
            objects.len(),
            source.objects,
            source.size_bytes
        ))
        .means("it was changed after the plan; nothing was done")
        .next("scan again and make a new plan")
        .into());
    }
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(objects)
}

fn tree<V: Visitor>(
    mut guard: Guard,
    source: &Source,
    objects: Vec<ObjectMeta>,
    runtime: &tokio::runtime::Handle,
    mut visitor: V,
) -> Result<V, Stop> {
    for object in objects {
        if let Some(reason) = guard.cancelled() {
            return Err(Stop::Cancelled(reason));
        }
        guard.admit(object.size)?;
        let Some(below) = object.name.strip_prefix(&source.path) else {
            return Err(Failure::new(format!("object {} is not below the tree", escaped(&object.name))).into());
        };
        // Folder markers: objects of no length whose name ends in a slash.
        let kind = if below.ends_with('/') || below.is_empty() { Kind::Folder } else { Kind::File };
        let Some(path) = safe(Path::new(below), &guard.limits)? else { continue };
        let member = Member {
            path,
            kind,
            size: object.size,
            mode: None,
            mtime: object.modified.map(|at| at.timestamp()),
            owner: None,
        };
        let store = source.store(&guard.cx)?.clone();
        let pin = object.pin();
        let stream = runtime
            .block_on(async { store.read(&object.name, 0, Some(&pin)).await })
            .map_err(|error| store_failure(&error))?;
        let seen = guard.seen.clone();
        let feed = stream
            .map_err(|error| store_failure(&error))
            .inspect_ok(move |chunk| {
                seen.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            })
            .boxed();
        visitor.member(&member, &mut blocking_reader(feed))?;
    }
    Ok(visitor)
}

fn archive<V: Visitor>(mut guard: Guard, reader: impl Read, mut visitor: V) -> Result<V, Stop> {
    let mut archive = tar::Archive::new(reader);
    let walked = each(&mut guard, &mut archive, &mut visitor);
    if let Some(reason) = guard.cancelled() {
        return Err(Stop::Cancelled(reason));
    }
    walked?;
    // What follows the end marker is read too: a checksum behind it must hold.
    let mut rest = archive.into_inner();
    std::io::copy(&mut rest, &mut std::io::sink()).map_err(broken)?;
    Ok(visitor)
}

fn each<V: Visitor>(guard: &mut Guard, archive: &mut tar::Archive<impl Read>, visitor: &mut V) -> Result<(), Failure> {
    let mut any = false;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        any = true;
        if guard.cancelled().is_some() {
            return Ok(());
        }
        guard.admit(entry.size())?;
        if let Some(member) = read_member(&entry, &guard.limits)? {
            visitor.member(&member, &mut entry)?;
        }
    }
    if any {
        return Ok(());
    }
    Err(Failure::new("the archive has no members")
        .means("an empty backup would replace the live folder by nothing")
        .next("choose another backup"))
}

fn read_member(entry: &tar::Entry<'_, impl Read>, limits: &Limits) -> Result<Option<Member>, Failure> {
    use tar::EntryType as Type;
    let raw = PathBuf::from(OsString::from_vec(entry.path_bytes().into_owned()));
    let header = entry.header();
    let target = || {
        let bytes = entry.link_name_bytes().unwrap_or_default().into_owned();
        PathBuf::from(OsString::from_vec(bytes))
    };
    let kind = match header.entry_type() {
        Type::Regular | Type::Continuous | Type::GNUSparse => Kind::File,
        Type::Directory => Kind::Folder,
        Type::Symlink => Kind::Link(target()),
        Type::Link => match safe(&target(), limits)? {
            Some(path) => Kind::Hard(path),
            None => return Err(refused(&raw, "is a second name of a member that is left out")),
        },
        Type::XGlobalHeader => return Ok(None),
        _ => return Err(refused(&raw, "is a device, a pipe or of an unknown kind")),
    };
    let Some(path) = safe(&raw, limits)? else { return Ok(None) };
    if let Kind::Link(target) = &kind {
        check_link(&path, target)?;
    }
    let number = |value: std::io::Result<u64>| value.ok().and_then(|value| u32::try_from(value).ok());
    Ok(Some(Member {
        path,
        size: entry.size(),
        mode: header.mode().ok().map(|mode| mode & 0o7777),
        mtime: header.mtime().ok().and_then(|at| i64::try_from(at).ok()),
        owner: number(header.uid()).zip(number(header.gid())),
        kind,
    }))
}

fn refused(path: &Path, why: &str) -> Failure {
    Failure::new(format!("member `{}` {why}", escaped(&path.to_string_lossy())))
        .means("unpacking it could harm this machine; it was refused, and nothing live was touched")
        .next("look at the archive by hand, or choose another backup")
}

/// The path below the root, or `None` where it is not in the folder that is wanted, or stripping leaves nothing
/// of it. The root itself is empty.
fn safe(path: &Path, limits: &Limits) -> Result<Option<PathBuf>, Failure> {
    let mut whole = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) if name.len() <= 255 && !name.as_encoded_bytes().contains(&0) => whole.push(name),
            Component::CurDir => {}
            Component::Normal(_) => return Err(refused(path, "has a name that no file can have")),
            Component::RootDir | Component::Prefix(_) => return Err(refused(path, "has an absolute path")),
            Component::ParentDir => return Err(refused(path, "leads out of the folder with `..`")),
        }
    }
    if whole.as_os_str().len() > 4000 {
        return Err(refused(path, "has too long a path"));
    }
    // Whole parts are compared: `a/b` does not hold `a/bc`.
    let Ok(below) = whole.strip_prefix(&limits.inside) else { return Ok(None) };
    let (parts, strip) = (below.components().count(), limits.strip as usize);
    Ok((strip == 0 || parts >= strip).then(|| below.components().skip(strip).collect()))
}

/// A link may climb only to folders that are really there, and never above the root: `..` counts only at
/// its beginning, because behind a name it could climb out of wherever another link leads.
fn check_link(path: &Path, target: &Path) -> Result<(), Failure> {
    let depth = path.components().count().saturating_sub(1);
    let (mut climbs, mut named) = (0, false);
    for part in target.components() {
        match part {
            Component::Normal(_) => named = true,
            Component::CurDir => {}
            Component::ParentDir if !named => climbs += 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(refused(path, "is a link that may lead out"));
            }
        }
    }
    if climbs > depth || target.as_os_str().is_empty() {
        return Err(refused(path, "is a link that leads out of the folder"));
    }
    Ok(())
}

fn broken(error: std::io::Error) -> Failure {
    match carried(error) {
        Ok(failure) => failure,
        Err(error) => failed("reading the archive", &error)
            .means("the archive is damaged or ends early; what was unpacked is not used")
            .next("choose another copy or an older backup"),
    }
}

/// An error while reading a member's content, with the failure that it carries.
pub fn content_failure(error: std::io::Error) -> Failure {
    broken(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        let limits = |strip, inside: &str| Limits { members: 9, bytes: 9, strip, inside: inside.into() };
        let below = |path: &str, limits: &Limits| {
            safe(Path::new(path), limits).unwrap().map(|path| path.to_string_lossy().into_owned())
        };
        let ok = |path: &str, strip| below(path, &limits(strip, ""));
        assert_eq!(ok("./a//b/./c", 0).as_deref(), Some("a/b/c"));
        assert_eq!(ok("./", 0).as_deref(), Some(""));
        assert_eq!(ok("top/a", 1).as_deref(), Some("a"));
        assert_eq!(ok("top", 1).as_deref(), Some(""));
        assert_eq!(ok("x", 2), None);
        assert_eq!(below("etc/app/x", &limits(0, "etc/app")).as_deref(), Some("x"));
        assert_eq!(below("./etc/app", &limits(0, "etc/app")).as_deref(), Some(""));
        assert_eq!(below("etc/apple/x", &limits(0, "etc/app")), None);
        for bad in ["/etc/passwd", "../x", "a/../../x", "a/../b"] {
            assert!(safe(Path::new(bad), &limits(0, "")).is_err(), "{bad}");
        }
        assert!(safe(Path::new(&"n".repeat(300)), &limits(0, "")).is_err());
    }

    #[test]
    fn links_stay_inside() {
        let link = |path: &str, target: &str| check_link(Path::new(path), Path::new(target)).is_ok();
        assert!(link("a/b/l", "../c") && link("l", "c/d") && link("a/b/l", "../../c"));
        for (path, target) in [("l", ".."), ("a/l", "../../x"), ("l", "/etc"), ("a/l", "d/../../.."), ("l", "")] {
            assert!(!link(path, target), "{path} -> {target}");
        }
    }
}
