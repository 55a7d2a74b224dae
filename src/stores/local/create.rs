//! A new file, whole or not at all: written under another name, flushed, then linked in place without
//! replacing anything, and the folder flushed.

use super::walk::UNFINISHED;
use super::{LocalStore, io_error};
use crate::stores::error::StoreError;
use crate::stores::port::{ByteStream, ObjectMeta};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use futures::StreamExt;
use rustix::fs::RenameFlags;
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};

/// The unfinished file; removed when dropped before it was put in place.
struct Unfinished {
    store: LocalStore,
    name: String,
    folder: Dir,
    temporary: String,
    /// Last part of `name`.
    last: String,
    file: File,
    written: u64,
    placed: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.placed {
            // Nothing better can be done here; a leftover is reported by the next listing.
            let _ = self.folder.remove_file(&self.temporary);
        }
    }
}

pub(super) async fn create(
    store: &LocalStore,
    name: &str,
    size: u64,
    mut body: ByteStream,
) -> Result<ObjectMeta, StoreError> {
    let wanted = name.to_owned();
    let mut file = store.aside(Some(name), move |store, _| begin(store, wanted)).await?;
    while let Some(piece) = body.next().await {
        let piece = piece?;
        if file.written + piece.len() as u64 > size {
            return Err(StoreError::wrong_length(&store.id, name, size, "more"));
        }
        file = store
            .aside(Some(name), move |_, _| {
                file.file.write_all(&piece).map_err(|e| file.failed("the new file", &e))?;
                file.written += piece.len() as u64;
                Ok(file)
            })
            .await?;
    }
    if file.written != size {
        return Err(StoreError::wrong_length(&store.id, name, size, "fewer"));
    }
    store.aside(Some(name), move |_, _| file.finish()).await
}

fn begin(store: &LocalStore, name: String) -> Result<Unfinished, StoreError> {
    let failed = |what: &str, e: &io::Error| io_error(&store.id, Some(&name), what, e);
    let mut folder =
        Dir::open_ambient_dir(&store.root, ambient_authority()).map_err(|e| failed("the folder of the store", &e))?;
    let (parents, last) = name.rsplit_once('/').map_or(("", name.as_str()), |(parents, last)| (parents, last));
    for part in parents.split('/').filter(|part| !part.is_empty()) {
        match folder.create_dir(part) {
            Ok(()) => flush(&folder).map_err(|e| failed("the folder above", &e))?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed("the folder for the new file", &e)),
        }
        folder = folder.open_dir(part).map_err(|e| failed("the folder for the new file", &e))?;
    }
    if folder.symlink_metadata(last).is_ok() {
        return Err(StoreError::taken(&store.id, &name));
    }
    let mark = getrandom::u64().map_err(|e| failed("the system's random numbers", &io::Error::other(e)))?;
    let temporary = format!("{UNFINISHED}{mark:016x}");
    let mut how = OpenOptions::new();
    how.write(true).create_new(true).mode(0o600);
    let file = folder.open_with(&temporary, &how).map_err(|e| failed("the new file", &e))?.into_std();
    let last = last.to_owned();
    Ok(Unfinished { store: store.clone(), folder, temporary, last, file, written: 0, placed: false, name })
}

impl Unfinished {
    fn failed(&self, what: &str, error: &io::Error) -> StoreError {
        io_error(&self.store.id, Some(&self.name), what, error)
    }

    fn finish(mut self) -> Result<ObjectMeta, StoreError> {
        self.file.sync_all().map_err(|e| self.failed("the new file", &e))?;
        self.place()?;
        self.placed = true;
        flush(&self.folder).map_err(|e| self.failed("the folder of the new file", &e))?;
        self.store.fstat(&self.file, &self.name)
    }

    fn place(&self) -> Result<(), StoreError> {
        name_new(&self.folder, &self.temporary, &self.last).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => StoreError::taken(&self.store.id, &self.name),
            _ => self.failed("the new file", &e),
        })
    }
}

/// Gives what is finished its name, never replacing anything. File systems that cannot rename that way give a file a
/// second name instead.
pub fn name_new(folder: &Dir, from: &str, to: &str) -> io::Result<()> {
    match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            folder.hard_link(from, folder, to).and_then(|()| folder.remove_file(from))
        }
        other => other.map_err(io::Error::from),
    }
}

/// Makes new names in a folder survive a power cut.
pub fn flush(folder: &Dir) -> io::Result<()> {
    // The handle of a `Dir` may be one that cannot be flushed; opening `.` gives one that can.
    folder.open(".")?.sync_all()
}
