//! Writes members below a folder handle. Links come last and folders get their modes after everything in
//! them, so that nothing is ever written through a link or refused by a recorded mode.

use super::folder::{Tally, failed, handle};
use super::members::{Kind, Member, Visitor, content_failure};
use crate::model::task::Failure;
use crate::model::text::escaped;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const SPECIAL: u32 = 0o6000;

pub struct Unpacker {
    root: Dir,
    folders: Vec<Member>,
    links: Vec<Member>,
    pub tally: Tally,
    /// Files whose set-user or set-group bit was left out.
    pub defused: u64,
    keep_special: bool,
    as_root: bool,
    buffer: Vec<u8>,
}

impl Unpacker {
    pub fn new(root: Dir, keep_special: bool) -> Self {
        Self {
            root,
            folders: Vec::new(),
            links: Vec::new(),
            tally: Tally::default(),
            defused: 0,
            keep_special,
            as_root: rustix::process::geteuid().is_root(),
            buffer: vec![0; 1 << 18],
        }
    }

    /// Links, then modes and times of folders from the innermost outwards, then everything to disk.
    pub fn finish(mut self) -> Result<(Tally, u64), Failure> {
        for link in std::mem::take(&mut self.links) {
            let Kind::Link(target) = &link.kind else { continue };
            self.parents(&link.path)?;
            self.root.symlink_contents(target, &link.path).map_err(|error| problem(&link.path, &error))?;
            self.dress_link(&link)?;
        }
        let mut folders = std::mem::take(&mut self.folders);
        folders.sort_by(|a, b| b.path.cmp(&a.path));
        for folder in &folders {
            let dir = if folder.path.as_os_str().is_empty() {
                self.root.try_clone()
            } else {
                self.root.open_dir(&folder.path)
            };
            let dir = dir.map_err(|error| problem(&folder.path, &error))?;
            let dir = handle(&dir).map_err(|error| problem(&folder.path, &error.into()))?;
            self.dress(&dir, folder, folder.mode)?;
        }
        handle(&self.root)
            .and_then(rustix::fs::syncfs)
            .map_err(|error| failed("writing the new folder to disk", &error.into()))?;
        Ok((self.tally, self.defused))
    }

    fn parents(&mut self, path: &Path) -> Result<(), Failure> {
        let mut below = PathBuf::new();
        for part in path.parent().into_iter().flat_map(Path::components) {
            below.push(part);
            self.make_folder(&below)?;
        }
        Ok(())
    }

    fn make_folder(&mut self, path: &Path) -> Result<(), Failure> {
        let mut builder = DirBuilder::new();
        builder.mode(0o755);
        match self.root.create_dir_with(path, &builder) {
            Ok(()) => {
                self.tally.folders += 1;
                Ok(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let meta = self.root.symlink_metadata(path).map_err(|error| problem(path, &error))?;
                if meta.is_dir() { Ok(()) } else { Err(twice(path)) }
            }
            Err(error) => Err(problem(path, &error)),
        }
    }

    fn write_file(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), Failure> {
        self.parents(&member.path)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = match self.root.open_with(&member.path, &options) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(twice(&member.path)),
            Err(error) => return Err(problem(&member.path, &error)),
        };
        let mut written = 0;
        loop {
            let count = content.read(&mut self.buffer).map_err(content_failure)?;
            if count == 0 {
                break;
            }
            written += count as u64;
            file.write_all(&self.buffer[..count]).map_err(|error| problem(&member.path, &error))?;
        }
        if written != member.size {
            return Err(Failure::new(format!(
                "`{}` has {written} bytes, {} are recorded",
                shown(&member.path),
                member.size
            ))
            .means("the backup is damaged or was cut off")
            .next("choose another copy or an older backup"));
        }
        self.tally.files += 1;
        self.tally.bytes += written;
        let mut mode = member.mode.unwrap_or(0o644);
        if mode & SPECIAL != 0 && !self.keep_special {
            mode &= !SPECIAL;
            self.defused += 1;
        }
        self.dress(&file, member, Some(mode))
    }

    /// Owner, mode and time as recorded; the owner first, because changing it clears bits of the mode.
    fn dress(&self, file: &impl std::os::fd::AsFd, member: &Member, mode: Option<u32>) -> Result<(), Failure> {
        let dress = || -> rustix::io::Result<()> {
            if let Some((uid, gid)) = member.owner.filter(|_| self.as_root) {
                rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
            }
            if let Some(mode) = mode {
                rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
            }
            if let Some(mtime) = member.mtime {
                rustix::fs::futimens(file, &times(mtime))?;
            }
            Ok(())
        };
        dress().map_err(|error| problem(&member.path, &error.into()))
    }

    fn dress_link(&self, member: &Member) -> Result<(), Failure> {
        let parent = member.path.parent().filter(|path| !path.as_os_str().is_empty());
        let dir = parent.map_or_else(|| self.root.try_clone(), |path| self.root.open_dir(path));
        let dir = dir.map_err(|error| problem(&member.path, &error))?;
        let Some(name) = member.path.file_name() else { return Ok(()) };
        let dress = || -> rustix::io::Result<()> {
            if let Some((uid, gid)) = member.owner.filter(|_| self.as_root) {
                rustix::fs::chownat(
                    &dir,
                    name,
                    Some(Uid::from_raw(uid)),
                    Some(Gid::from_raw(gid)),
                    AtFlags::SYMLINK_NOFOLLOW,
                )?;
            }
            if let Some(mtime) = member.mtime {
                rustix::fs::utimensat(&dir, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            Ok(())
        };
        dress().map_err(|error| problem(&member.path, &error.into()))
    }
}

impl Visitor for Unpacker {
    fn member(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), Failure> {
        match &member.kind {
            Kind::Folder => {
                if !member.path.as_os_str().is_empty() {
                    self.parents(&member.path)?;
                    self.make_folder(&member.path)?;
                }
                self.folders.push(member.clone());
                Ok(())
            }
            Kind::File if member.path.as_os_str().is_empty() => {
                Err(Failure::new("a file of the archive has no name after leaving out leading folders")
                    .next("lower `strip` in the runbook"))
            }
            Kind::File => self.write_file(member, content),
            Kind::Link(_) => {
                self.tally.links += 1;
                self.links.push(member.clone());
                Ok(())
            }
            Kind::Hard(target) => {
                self.parents(&member.path)?;
                let meta = self.root.symlink_metadata(target).map_err(|error| problem(target, &error))?;
                if !meta.is_file() {
                    return Err(twice(&member.path));
                }
                self.root.hard_link(target, &self.root, &member.path).map_err(|error| problem(&member.path, &error))?;
                self.tally.files += 1;
                self.tally.bytes += meta.len();
                Ok(())
            }
        }
    }
}

fn times(mtime: i64) -> Timestamps {
    let at = Timespec { tv_sec: mtime, tv_nsec: 0 };
    Timestamps { last_access: at, last_modification: at }
}

fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy()).into_owned()
}

fn problem(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("`{}` could not be written: {error}", shown(path)))
        .means("the new folder is not complete and is not used; the live folder was not touched")
        .next("mend what the error names (space, rights), then retry")
}

fn twice(path: &Path) -> Failure {
    Failure::new(format!("`{}` appears twice in the backup, or as two different things", shown(path)))
        .means("which one is meant is not clear, so the backup was refused")
        .next("look at the archive by hand, or choose another backup")
}
