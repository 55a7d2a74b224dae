//! The walk below a folder, page by page, in the order of object names.
//!
//! Memory stays bounded: a folder is read in runs of [`RUN`] entries, sorted within the run. Only in a
//! folder with more entries than that do pages of one run come before those of the next; within a page
//! names ascend always.

use super::{LocalStore, io_error, meta};
use crate::model::id::StoreId;
use crate::model::text::escaped;
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::name::MAX_NAME;
use crate::stores::port::Page;
use cap_std::fs::{Dir, FileType, MetadataExt, ReadDir};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;

const RUN: usize = 65_536;
const PAGE: usize = 1000;
const MAX_DEPTH: usize = 64;

/// How the name of something begins that is not finished; no listing shows it.
pub const UNFINISHED: &str = ".relight-unfinished-";
/// Name of a file that [`remove`](super::remove) has moved aside and not removed yet.
pub(super) const REMOVING: &str = ".relight-removing-";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Link,
    Odd,
}

struct Entry {
    /// For a folder with a `/` at its end, so that entries sort as the object names below them do.
    name: Vec<u8>,
    kind: Kind,
}

struct Level {
    folder: Dir,
    /// Empty, or ends in `/`.
    path: String,
    /// `None` once it ended or failed.
    rest: Option<ReadDir>,
    run: std::vec::IntoIter<Entry>,
}

pub(super) struct Walk {
    store: LocalStore,
    root: Dir,
    prefix: String,
    after: Option<String>,
    levels: Vec<Level>,
    /// The first folder that could not be read. Reported after everything that could.
    unread: Option<StoreError>,
    page: Page,
}

impl Walk {
    pub(super) fn new(
        store: LocalStore,
        root: &Dir,
        prefix: String,
        after: Option<String>,
    ) -> Result<Self, StoreError> {
        let failed = |e: io::Error| io_error(&store.id, None, "the folder of the store", &e);
        let root = root.try_clone().map_err(failed)?;
        let folder = root.try_clone().map_err(failed)?;
        let rest = folder.entries().map_err(failed)?;
        let first = Level { folder, path: String::new(), rest: Some(rest), run: Vec::new().into_iter() };
        Ok(Self { store, root, prefix, after, levels: vec![first], unread: None, page: Page::default() })
    }

    pub(super) fn store(&self) -> &StoreId {
        &self.store.id
    }

    /// The next page, `None` after the last. What could not be read is the error at the very end.
    pub(super) fn next_page(&mut self) -> Result<Option<Page>, StoreError> {
        while let Some(level) = self.levels.last_mut() {
            if let Some(entry) = level.run.next() {
                self.visit(entry);
            } else {
                // A new run starts over in the alphabet; a page holds one run only.
                if !self.page.objects.is_empty() && self.more_to_read() {
                    return Ok(Some(std::mem::take(&mut self.page)));
                }
                self.next_run();
            }
            if self.page.objects.len() + self.page.skipped.len() >= PAGE {
                return Ok(Some(std::mem::take(&mut self.page)));
            }
        }
        if !self.page.objects.is_empty() || !self.page.skipped.is_empty() {
            return Ok(Some(std::mem::take(&mut self.page)));
        }
        self.unread.take().map_or(Ok(None), Err)
    }

    /// Whether the innermost folder may hold entries after the run that has ended.
    fn more_to_read(&mut self) -> bool {
        let Some(level) = self.levels.last_mut() else { return false };
        let mut run = Vec::new();
        let failed = read_run(level, &mut run);
        level.run = run.into_iter();
        self.note_failure(failed);
        self.levels.last().is_some_and(|level| level.run.len() > 0)
    }

    fn next_run(&mut self) {
        if !self.more_to_read() {
            self.levels.pop();
        }
    }

    fn note_failure(&mut self, failed: Option<io::Error>) {
        if let (Some(error), Some(level)) = (failed, self.levels.last()) {
            let path = level.path.clone();
            self.unreadable(&path, &error);
        }
    }

    fn unreadable(&mut self, path: &str, error: &io::Error) {
        let what = format!("the folder `{}`", escaped(path));
        let mut found = io_error(&self.store.id, None, &what, error);
        found.message.push_str("; the rest of the store was listed");
        if self.unread.is_none() {
            self.unread = Some(found);
        }
    }

    fn visit(&mut self, entry: Entry) {
        let Some(level) = self.levels.last() else { return };
        let name = match String::from_utf8(entry.name) {
            Ok(name) => name,
            Err(raw) => {
                let shown = format!("{}{}", level.path, raw.as_bytes().escape_ascii());
                return self.skip(&shown, "the name is not UTF-8");
            }
        };
        let full = format!("{}{name}", level.path);
        if !self.wanted(&full, entry.kind == Kind::Folder) {
            return;
        }
        if full.len() > MAX_NAME {
            return self.skip(&full, "the name is longer than 1024 bytes");
        }
        match entry.kind {
            Kind::Folder => self.enter(&name, full),
            Kind::File if name.starts_with(UNFINISHED) => self.skip(&full, "a write that was not finished"),
            Kind::File if name.starts_with(REMOVING) => self.skip(&full, "a removal that was not finished"),
            Kind::File => self.file(&name, &full),
            Kind::Link => self.link(&full),
            Kind::Odd => self.skip(&full, "not a regular file (socket, pipe or device)"),
        }
    }

    /// Whether an entry, or anything below a folder, can be in the listing.
    fn wanted(&self, full: &str, folder: bool) -> bool {
        let in_prefix = full.starts_with(&self.prefix) || (folder && self.prefix.starts_with(full));
        let in_rest = self.after.as_deref().is_none_or(|after| full > after || (folder && after.starts_with(full)));
        in_prefix && in_rest
    }

    fn enter(&mut self, name: &str, full: String) {
        if self.levels.len() >= MAX_DEPTH {
            return self.skip(&full, "nested deeper than 64 folders");
        }
        let Some(level) = self.levels.last() else { return };
        let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&level.folder, name.trim_end_matches('/'), how, Mode::empty())
            .map_err(io::Error::from)
            .map(|fd| Dir::from_std_file(File::from(fd)))
            .and_then(|folder| folder.entries().map(|rest| (folder, rest)));
        match opened {
            Ok((folder, rest)) => {
                self.levels.push(Level { folder, path: full, rest: Some(rest), run: Vec::new().into_iter() });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.unreadable(&full, &error),
        }
    }

    fn file(&mut self, name: &str, full: &str) {
        let Some(level) = self.levels.last() else { return };
        match rustix::fs::statat(&level.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() => {
                let (seconds, nanos) = (found.st_mtime, found.st_mtime_nsec as i64);
                self.page.objects.push(meta(full, found.st_size as u64, seconds, nanos));
            }
            Ok(_) => self.skip(full, "it stopped being a regular file during the listing"),
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => self.skip(full, &format!("it cannot be looked at: {error}")),
        }
    }

    /// A link to a file below the root is listed as that file; every other link is reported.
    fn link(&mut self, full: &str) {
        let target = self.root.read_link_contents(full).unwrap_or_default();
        let target = escaped(&target.to_string_lossy()).into_owned();
        match self.root.metadata(full) {
            Ok(found) if found.is_file() => {
                self.page.objects.push(meta(full, found.len(), found.mtime(), found.mtime_nsec()));
            }
            Ok(found) if found.is_dir() => self.skip(full, &format!("link to the folder `{target}`, not followed")),
            Ok(_) => self.skip(full, &format!("link to `{target}`, which is not a regular file")),
            Err(error) => {
                let reason = match io_error(&self.store.id, None, "its target", &error).kind {
                    StoreErrorKind::NotFound => format!("link to `{target}`, which does not exist"),
                    StoreErrorKind::BadName => format!("link to `{target}`, out of the store"),
                    _ => format!("link to `{target}`, which cannot be looked at: {error}"),
                };
                self.skip(full, &reason);
            }
        }
    }

    fn skip(&mut self, name: &str, reason: &str) {
        let short: String = name.chars().take(MAX_NAME).collect();
        self.page.skipped.push((escaped(&short).into_owned(), reason.to_owned()));
    }
}

/// Reads up to [`RUN`] entries, sorted. An error ends the folder; what came before it is kept.
fn read_run(level: &mut Level, run: &mut Vec<Entry>) -> Option<io::Error> {
    let mut failed = None;
    let mut rest = level.rest.take()?;
    while run.len() < RUN && failed.is_none() {
        let Some(entry) = rest.next() else { break };
        match entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?))) {
            Ok((name, kind)) => run.push(sortable(name, kind)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failed = Some(error),
        }
    }
    if run.len() == RUN {
        level.rest = Some(rest);
    }
    run.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    failed
}

fn sortable(name: OsString, kind: FileType) -> Entry {
    let kind = match kind {
        k if k.is_file() => Kind::File,
        k if k.is_dir() => Kind::Folder,
        k if k.is_symlink() => Kind::Link,
        _ => Kind::Odd,
    };
    let mut name = name.into_vec();
    if kind == Kind::Folder {
        name.push(b'/');
    }
    Entry { name, kind }
}
