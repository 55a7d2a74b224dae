//! A folder as a store. Every look-up stays below the folder, whatever links or names say; only regular
//! files are read. The folder is opened anew for each call, so a mount that appears later is found.

mod create;
mod place;
mod remove;
mod walk;

pub use create::{flush, name_new};
pub use place::FolderPlace;
pub use walk::UNFINISHED;

use super::error::{StoreError, StoreErrorKind};
use super::name::{bad_name, path_fault};
use super::port::{ByteStream, MAX_RANGE, ObjectMeta, Page, Pin, PruningStore, Removed, Store, WritableStore};
use crate::model::id::StoreId;
use crate::model::time::Timestamp;
use bytes::{Bytes, BytesMut};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

const CHUNK: usize = 256 * 1024;

#[derive(Clone, Debug)]
pub struct LocalStore {
    id: StoreId,
    root: PathBuf,
}

impl LocalStore {
    pub fn new(id: impl Into<StoreId>, root: impl Into<PathBuf>) -> Self {
        Self { id: id.into(), root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    fn open_root(&self) -> Result<Dir, StoreError> {
        Dir::open_ambient_dir(&self.root, ambient_authority()).map_err(|error| {
            let folder = format!("the folder {}", self.location());
            io_error(&self.id, None, &folder, &error)
        })
    }

    fn checked(&self, name: &str) -> Result<(), StoreError> {
        path_fault(name).map_or(Ok(()), |fault| Err(bad_name(&self.id, name, fault)))
    }

    /// Runs blocking file work aside; a pin or name was checked by the caller.
    async fn aside<T: Send + 'static>(
        &self,
        name: Option<&str>,
        work: impl FnOnce(&Self, &Dir) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&store, &store.open_root()?));
        done.await.unwrap_or_else(|_| Err(stopped(&self.id, name)))
    }

    fn stat(&self, root: &Dir, name: &str) -> Result<ObjectMeta, StoreError> {
        let found = root.metadata(name).map_err(|e| io_error(&self.id, Some(name), "the file", &e))?;
        if !found.is_file() {
            return Err(self.odd(name, if found.is_dir() { "a folder" } else { "not a regular file" }));
        }
        Ok(meta(name, found.len(), found.mtime(), found.mtime_nsec()))
    }

    fn odd(&self, name: &str, what: &str) -> StoreError {
        let kind = if what == "a folder" { StoreErrorKind::NotFound } else { StoreErrorKind::BadName };
        StoreError::new(kind, &self.id, Some(name), format!("it is {what}; only regular files are read"))
    }

    fn open_file(&self, root: &Dir, name: &str, pin: Option<&Pin>) -> Result<(File, ObjectMeta), StoreError> {
        // Looked at before it is opened: opening a device can act on it.
        self.stat(root, name)?;
        let mut how = OpenOptions::new();
        how.read(true).custom_flags((rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY).bits() as i32);
        let failed = |e: &io::Error| io_error(&self.id, Some(name), "the file", e);
        let file = root.open_with(name, &how).map_err(|e| failed(&e))?.into_std();
        let now = self.fstat(&file, name)?;
        if pin.is_some_and(|pin| !pin.holds(&now)) {
            return Err(StoreError::changed(&self.id, name));
        }
        Ok((file, now))
    }

    fn fstat(&self, file: &File, name: &str) -> Result<ObjectMeta, StoreError> {
        let found = rustix::fs::fstat(file).map_err(|e| io_error(&self.id, Some(name), "the file", &e.into()))?;
        if !rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() {
            return Err(self.odd(name, "not a regular file"));
        }
        Ok(meta(name, found.st_size as u64, found.st_mtime, found.st_mtime_nsec as i64))
    }
}

fn meta(name: &str, size: u64, seconds: i64, nanos: i64) -> ObjectMeta {
    let modified = Timestamp::from_timestamp(seconds, u32::try_from(nanos).unwrap_or(0));
    ObjectMeta { name: name.to_owned(), size, modified, etag: None, storage_class: None }
}

fn stopped(store: &StoreId, name: Option<&str>) -> StoreError {
    StoreError::new(StoreErrorKind::Other, store, name, "reading the folder was broken off inside the program")
}

/// The kind of a file error. `what` names the thing in the message.
fn io_error(store: &StoreId, name: Option<&str>, what: &str, error: &io::Error) -> StoreError {
    use io::ErrorKind as K;
    let escape = error.kind() == K::PermissionDenied && error.raw_os_error().is_none();
    let (kind, message) = match error.kind() {
        _ if escape => (StoreErrorKind::BadName, format!("{what} lies behind a link that leads out of the store")),
        K::NotFound | K::NotADirectory => (StoreErrorKind::NotFound, format!("{what} does not exist")),
        K::PermissionDenied => (StoreErrorKind::Denied, format!("{what} may not be opened: {error}")),
        K::ReadOnlyFilesystem => (StoreErrorKind::Denied, format!("{what} lies on a read-only file system")),
        K::AlreadyExists => (StoreErrorKind::AlreadyExists, format!("{what} exists already")),
        K::InvalidFilename => (StoreErrorKind::BadName, format!("{what} cannot be looked up: {error}")),
        K::TimedOut | K::StaleNetworkFileHandle | K::HostUnreachable | K::NetworkUnreachable => {
            (StoreErrorKind::Unreachable, format!("{what} does not answer: {error}"))
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            (StoreErrorKind::BadName, format!("{what} lies behind a circle of links"))
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
            (StoreErrorKind::Unreachable, format!("the device under {what} reports an input/output error"))
        }
        _ => (StoreErrorKind::Other, format!("{what}: {error}")),
    };
    StoreError::new(kind, store, name, message)
}

/// A file being read in pieces, each piece on a blocking thread.
struct Reading {
    store: LocalStore,
    file: File,
    opened: ObjectMeta,
    left: u64,
}

impl Reading {
    /// The next piece; after the last one the file must still be what it was when it was opened.
    fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let name = &self.opened.name;
        if self.left == 0 {
            let now = self.store.fstat(&self.file, name)?;
            return if self.opened.pin().holds(&now) {
                Ok(None)
            } else {
                Err(StoreError::changed(&self.store.id, name))
            };
        }
        let mut piece = BytesMut::zeroed(self.left.min(CHUNK as u64) as usize);
        let got = loop {
            match self.file.read(&mut piece) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(|e| io_error(&self.store.id, Some(name), "the file", &e))?,
            }
        };
        if got == 0 {
            let message = format!("the file ended {} bytes early while it was read", self.left);
            return Err(StoreError::new(StoreErrorKind::Corrupt, &self.store.id, Some(name), message));
        }
        piece.truncate(got);
        self.left -= got as u64;
        Ok(Some(piece.freeze()))
    }
}

#[async_trait::async_trait]
impl Store for LocalStore {
    fn id(&self) -> &StoreId {
        &self.id
    }

    fn location(&self) -> String {
        crate::model::text::escaped(&self.root.to_string_lossy()).into_owned()
    }

    fn list<'a>(&'a self, prefix: &'a str, after: Option<&'a str>) -> BoxStream<'a, Result<Page, StoreError>> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let start = self.aside(None, |store, root| walk::Walk::new(store.clone(), root, prefix, after));
        stream::once(start)
            .flat_map(|walk| match walk {
                Ok(walk) => pages(walk),
                Err(error) => stream::once(async { Err(error) }).boxed(),
            })
            .boxed()
    }

    async fn head(&self, name: &str) -> Result<ObjectMeta, StoreError> {
        self.checked(name)?;
        let wanted = name.to_owned();
        self.aside(Some(name), move |store, root| store.stat(root, &wanted)).await
    }

    async fn read_pieces(&self, name: &str, range: Range<u64>, pin: Option<&Pin>) -> Result<Vec<Bytes>, StoreError> {
        self.checked(name)?;
        if range.end.saturating_sub(range.start) > MAX_RANGE {
            return Err(StoreError::range_too_long(&self.id, name));
        }
        let (wanted, pin) = (name.to_owned(), pin.cloned());
        let work = move |store: &Self, root: &Dir| {
            let (mut file, opened) = store.open_file(root, &wanted, pin.as_ref())?;
            let end = range.end.min(opened.size);
            let start = range.start.min(end);
            let failed = |e: io::Error| io_error(&store.id, Some(&wanted), "the file", &e);
            file.seek(SeekFrom::Start(start)).map_err(failed)?;
            let mut pieces = Vec::new();
            let mut reading = Reading { store: store.clone(), file, opened, left: end - start };
            while let Some(piece) = reading.next()? {
                pieces.push(piece);
            }
            Ok(pieces)
        };
        self.aside(Some(name), work).await
    }

    async fn read(&self, name: &str, from: u64, pin: Option<&Pin>) -> Result<ByteStream, StoreError> {
        self.checked(name)?;
        let (wanted, pin) = (name.to_owned(), pin.cloned());
        let work = move |store: &Self, root: &Dir| {
            let (mut file, opened) = store.open_file(root, &wanted, pin.as_ref())?;
            let start = from.min(opened.size);
            let failed = |e: io::Error| io_error(&store.id, Some(&wanted), "the file", &e);
            file.seek(SeekFrom::Start(start)).map_err(failed)?;
            Ok(Reading { store: store.clone(), left: opened.size - start, file, opened })
        };
        let reading = self.aside(Some(name), work).await?;
        Ok(pieces(reading))
    }
}

#[async_trait::async_trait]
impl WritableStore for LocalStore {
    async fn create(&self, name: &str, size: u64, body: ByteStream) -> Result<ObjectMeta, StoreError> {
        self.checked(name)?;
        create::create(self, name, size, body).await
    }
}

#[async_trait::async_trait]
impl PruningStore for LocalStore {
    async fn remove(&self, name: &str, pin: &Pin, _now: Timestamp) -> Result<Removed, StoreError> {
        self.checked(name)?;
        let (wanted, pin) = (name.to_owned(), pin.clone());
        self.aside(Some(name), move |store, root| remove::remove(store, root, &wanted, &pin)).await
    }
}

fn pages(walk: walk::Walk) -> BoxStream<'static, Result<Page, StoreError>> {
    stream::try_unfold(walk, |mut walk| async move {
        let store = walk.store().clone();
        let done = tokio::task::spawn_blocking(move || walk.next_page().map(|page| page.map(|page| (page, walk))));
        done.await.unwrap_or_else(|_| Err(stopped(&store, None)))
    })
    .boxed()
}

fn pieces(reading: Reading) -> ByteStream {
    stream::try_unfold(reading, |mut reading| async move {
        let (store, name) = (reading.store.id.clone(), reading.opened.name.clone());
        let done = tokio::task::spawn_blocking(move || reading.next().map(|piece| piece.map(|piece| (piece, reading))));
        done.await.unwrap_or_else(|_| Err(stopped(&store, Some(&name))))
    })
    .boxed()
}
