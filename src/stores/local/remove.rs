//! One file removed, and only the pinned one: moved aside under a name that nobody else uses, looked at there, where
//! nobody replaces it, and only then unlinked. What proves to be another file goes back to its name.
//!
//! A process that dies in between leaves the file aside, where listings report it; the same removal asked for again
//! finishes it.

use super::create::flush;
use super::walk::REMOVING;
use super::{LocalStore, io_error, meta};
use crate::stores::error::{StoreError, StoreErrorKind};
use crate::stores::port::{ObjectMeta, Pin, Removed};
use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;

struct Removal<'a> {
    store: &'a LocalStore,
    name: &'a str,
    pin: &'a Pin,
    folder: Dir,
    /// Last part of `name`.
    last: &'a str,
    aside: String,
}

pub(super) fn remove(store: &LocalStore, root: &Dir, name: &str, pin: &Pin) -> Result<Removed, StoreError> {
    let (parents, last) = name.rsplit_once('/').unwrap_or(("", name));
    let folder = folder(root, parents).map_err(|e| io_error(&store.id, Some(name), "the folder of the file", &e))?;
    let removal = Removal { store, name, pin, folder, last, aside: aside(last, pin) };
    removal.carry_out()?;
    Ok(Removed::Gone)
}

/// Part by part and through no link: what is listed never lies behind one.
fn folder(root: &Dir, parents: &str) -> io::Result<Dir> {
    let mut folder = root.try_clone()?;
    for part in parents.split('/').filter(|part| !part.is_empty()) {
        let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        folder = Dir::from_std_file(File::from(rustix::fs::openat(&folder, part, how, Mode::empty())?));
    }
    Ok(folder)
}

/// The same for the same file, so that a second removal finds what the first has left.
fn aside(last: &str, pin: &Pin) -> String {
    let digest = Sha256::digest(format!("{last}\0{}\0{}", pin.size, pin.mark()));
    format!("{REMOVING}{}", &hex::encode(digest)[..24])
}

impl Removal<'_> {
    fn carry_out(&self) -> Result<(), StoreError> {
        match self.look(self.last)? {
            None if self.look(&self.aside)?.is_some_and(|left| self.pin.holds(&left)) => return self.unlink(),
            None => return Err(StoreError::missing(&self.store.id, self.name)),
            Some(found) if !self.pin.holds(&found) => return Err(StoreError::changed(&self.store.id, self.name)),
            Some(_) => {}
        }
        self.move_aside().map_err(|e| self.failed(&e))?;
        match self.look(&self.aside) {
            Ok(Some(taken)) if self.pin.holds(&taken) => self.unlink(),
            Ok(None) => Err(StoreError::changed(&self.store.id, self.name)),
            other => Err(self.put_back(other.err())),
        }
    }

    fn look(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
        match rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode).is_file() => {
                Ok(Some(meta(self.name, found.st_size as u64, found.st_mtime, found.st_mtime_nsec as i64)))
            }
            Ok(_) => {
                let message = "it is not a regular file; only regular files are removed, and no link is";
                Err(StoreError::new(StoreErrorKind::BadName, &self.store.id, Some(self.name), message))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed(&error.into())),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        rustix::fs::renameat_with(&self.folder, from, &self.folder, to, RenameFlags::NOREPLACE)
    }

    fn move_aside(&self) -> io::Result<()> {
        match self.rename(self.last, &self.aside) {
            // Whatever such a file system replaces here is a removal of this very file that was not finished.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                self.folder.rename(self.last, &self.folder, &self.aside)
            }
            other => other.map_err(io::Error::from),
        }
    }

    /// Never over a file that has taken the name meanwhile: a second link replaces nothing anywhere.
    fn move_back(&self) -> io::Result<()> {
        match self.rename(&self.aside, self.last) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                self.folder.hard_link(&self.aside, &self.folder, self.last)?;
                self.folder.remove_file(&self.aside)
            }
            other => other.map_err(io::Error::from),
        }
    }

    fn unlink(&self) -> Result<(), StoreError> {
        self.folder.remove_file(&self.aside).map_err(|e| self.failed(&e))?;
        flush(&self.folder).map_err(|e| self.failed(&e))
    }

    /// Another file took the name between the look and the rename.
    fn put_back(&self, odd: Option<StoreError>) -> StoreError {
        let mut error = odd.unwrap_or_else(|| StoreError::changed(&self.store.id, self.name));
        if let Err(why) = self.move_back() {
            error.message.push_str(&format!("; it was moved to `{}` and could not be moved back: {why}", self.aside));
        }
        error
    }

    fn failed(&self, error: &io::Error) -> StoreError {
        io_error(&self.store.id, Some(self.name), "the file", error)
    }
}
