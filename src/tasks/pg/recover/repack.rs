//! The files of a base backup, each held to the manifest while it passes by, as one clean archive for a data folder.

use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::proof::manifest::{Check, Manifest};
use crate::tasks::files::members::{Kind, Member, Visitor, content_failure};
use crate::tasks::outlet::Outlet;
use std::io::{self, Read};

/// Folders that a server needs and that object stores, which have no empty folders, do not keep.
const FOLDERS: [&str; 17] = [
    "pg_commit_ts",
    "pg_dynshmem",
    "pg_logical",
    "pg_logical/mappings",
    "pg_logical/snapshots",
    "pg_multixact",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat",
    "pg_stat_tmp",
    "pg_subtrans",
    "pg_tblspc",
    "pg_twophase",
    "pg_wal",
    "pg_wal/archive_status",
];
/// What would make the copy follow somebody, or take itself for a running server.
const LEFT_OUT: [&str; 6] =
    ["postmaster.pid", "postmaster.opts", "standby.signal", "recovery.signal", "recovery.conf", "backup_manifest"];

pub struct Repack {
    out: tar::Builder<Outlet>,
    manifest: Option<Manifest>,
    /// Where the archive that is read now belongs in the folder.
    pub below: &'static str,
    pub files: u64,
    pub bytes: u64,
    /// Something of it lies outside the data folder.
    elsewhere: bool,
}

impl Repack {
    pub fn new(outlet: Outlet, manifest: Option<Manifest>) -> Self {
        Self { out: tar::Builder::new(outlet), manifest, below: "", files: 0, bytes: 0, elsewhere: false }
    }

    /// Folders first; then everything may arrive in any order.
    pub fn begin(&mut self) -> Result<(), Failure> {
        FOLDERS.iter().try_for_each(|folder| self.folder(folder))
    }

    fn folder(&mut self, path: &str) -> Result<(), Failure> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o700);
        header.set_size(0);
        self.out.append_data(&mut header, path, io::empty()).map_err(content_failure)
    }

    /// Everything was read: holds it to the manifest, and ends the archive only if it is all there.
    pub fn finish(mut self) -> Result<(u64, u64), Failure> {
        if let Some(mut manifest) = self.manifest.take() {
            manifest.close();
            if manifest.wrong > 0 {
                let failure = Failure::new(format!("{} files do not agree with the backup's manifest", manifest.wrong))
                    .means("the copy is damaged; what was unpacked is not used")
                    .next("choose another copy or an older base backup");
                return Err(manifest.problems.into_iter().fold(failure, Failure::evidence));
            }
        }
        if self.elsewhere {
            return Err(Failure::new("the backup has tablespaces outside its data folder")
                .means("where they would have to lie beside the live ones is not known; what was unpacked is not used")
                .next("recover this cluster by hand with `tablespace_map`, or choose a backup without tablespaces"));
        }
        let counts = (self.files, self.bytes);
        self.out.into_inner().and_then(Outlet::finish).map_err(content_failure)?;
        Ok(counts)
    }
}

impl Visitor for Repack {
    fn member(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), Failure> {
        let name = member.path.to_str().ok_or_else(|| {
            Failure::new(format!("`{}` is no name that PostgreSQL gives", escaped(&member.path.to_string_lossy())))
                .means("the backup was refused; nothing live was touched")
        })?;
        let path = format!("{}{name}", self.below);
        // The map is there in every archive, and empty where there is nothing to map.
        self.elsewhere |= (path == "tablespace_map" && member.size > 0) || path.starts_with("pg_tblspc/");
        match member.kind {
            Kind::Folder if name.is_empty() => Ok(()),
            Kind::Folder => self.folder(&path),
            Kind::File => self.file(&path, member, content),
            Kind::Link(_) | Kind::Hard(_) => {
                self.elsewhere = true;
                Ok(())
            }
        }
    }
}

impl Repack {
    fn file(&mut self, path: &str, member: &Member, content: &mut dyn Read) -> Result<(), Failure> {
        let listed = |manifest: &Manifest| manifest.lists(path) || path.starts_with("pg_wal/");
        let known = path == "postgresql.auto.conf" || self.manifest.as_ref().is_none_or(listed);
        if LEFT_OUT.contains(&path) || !known {
            io::copy(content, &mut io::sink()).map_err(content_failure)?;
            return Ok(());
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(member.size);
        header.set_mtime(member.mtime.and_then(|at| at.try_into().ok()).unwrap_or(0));
        let check = self.manifest.as_ref().map(|manifest| manifest.begin(path));
        let mut passing = Passing { content, check, bytes: 0 };
        self.out.append_data(&mut header, path, &mut passing).map_err(content_failure)?;
        let Passing { check, bytes, .. } = passing;
        if bytes != member.size {
            return Err(Failure::new(format!("`{}` has {bytes} bytes, {} are recorded", escaped(path), member.size))
                .means("the backup is damaged or was cut off; what was unpacked is not used")
                .next("choose another copy or an older base backup"));
        }
        if let (Some(manifest), Some(check)) = (&mut self.manifest, check) {
            manifest.end(check);
        }
        self.files += 1;
        self.bytes += bytes;
        Ok(())
    }
}

struct Passing<'c> {
    content: &'c mut dyn Read,
    check: Option<Check>,
    bytes: u64,
}

impl Read for Passing<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(into)?;
        self.bytes += count as u64;
        if let Some(check) = &mut self.check {
            check.see(&into[..count]);
        }
        Ok(count)
    }
}
