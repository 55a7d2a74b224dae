//! The live folder's place: its parent, the names in it, which folder is which, and what this run made.

use crate::model::amount::Amount;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::input::Stop;
use crate::tasks::notes;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt};
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A folder by device and inode: stays the same through renames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FolderId(String);

impl std::fmt::Display for FolderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder that holds the live one and everything beside it.
pub struct Place {
    pub dir: Dir,
    pub path: PathBuf,
}

/// What lies under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    Folder(FolderId),
    /// A file, a link, a mount point: nothing that may be swapped. The text says what.
    Other(&'static str),
}

impl Found {
    pub fn is(&self, id: &FolderId) -> bool {
        matches!(self, Found::Folder(found) if found == id)
    }
}

pub fn failed(doing: &str, error: &std::io::Error) -> Failure {
    Failure::new(format!("{doing} failed: {error}"))
}

/// A descriptor of the folder itself: the handle that `Dir` holds is good for looking names up only.
pub fn handle(dir: &Dir) -> rustix::io::Result<std::os::fd::OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    rustix::fs::openat(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

impl Place {
    /// Opens the parent that all these paths must share, and returns their names in it.
    pub fn open<const N: usize>(paths: [&Path; N]) -> Result<(Self, [OsString; N]), Failure> {
        let first = paths.first().and_then(|path| path.parent()).unwrap_or(Path::new("/")).to_owned();
        let mut names = Vec::with_capacity(N);
        for path in paths {
            let fine = path.is_absolute()
                && path.parent() == Some(first.as_path())
                && path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
            match path.file_name().filter(|_| fine) {
                Some(name) => names.push(name.to_owned()),
                None => {
                    return Err(Failure::new(format!("{} cannot be worked on", escaped(&path.to_string_lossy())))
                        .means("the live folder and those beside it must be absolute paths with the same parent")
                        .next("mend the path of the asset, and make a new plan"));
                }
            }
        }
        let dir = Dir::open_ambient_dir(&first, ambient_authority())
            .map_err(|error| failed(&format!("opening {}", escaped(&first.to_string_lossy())), &error))?;
        let names = names.try_into().map_err(|_| Failure::new("the paths could not be read"))?;
        Ok((Self { dir, path: first }, names))
    }

    pub fn find(&self, name: &OsStr) -> Result<Found, Failure> {
        let meta = match self.dir.symlink_metadata(name) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(failed(&format!("looking at {}", self.show(name)), &error)),
        };
        let own = self.dir.dir_metadata().map_err(|error| failed("looking at the parent folder", &error))?;
        Ok(if meta.is_symlink() {
            Found::Other("a symbolic link")
        } else if !meta.is_dir() {
            Found::Other("not a folder")
        } else if meta.dev() != own.dev() {
            Found::Other("a mount point")
        } else {
            Found::Folder(FolderId(format!("{}:{}", meta.dev(), meta.ino())))
        })
    }

    pub fn show(&self, name: &OsStr) -> String {
        escaped(&self.path.join(name).to_string_lossy()).into_owned()
    }

    /// Makes renames and new entries of the parent survive a power cut.
    pub fn sync(&self) -> Result<(), Failure> {
        handle(&self.dir)
            .and_then(rustix::fs::fsync)
            .map_err(|error| failed("writing the parent folder to disk", &error.into()))
    }
}

/// The run's own note of the folder that it made; nothing else is ever removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub side: PathBuf,
    /// Absent between the intent to make it and its making.
    pub id: Option<FolderId>,
    /// What was unpacked, once all of it was.
    pub complete: Option<Tally>,
}

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub files: u64,
    pub folders: u64,
    pub links: u64,
    pub bytes: u64,
}

const NOTE: &str = "side-folder.json";

impl Note {
    pub fn read(cx: &TaskContext, side: &Path) -> Option<Self> {
        notes::read(cx, NOTE).filter(|note: &Self| note.side == side)
    }

    /// On disk before the world changes.
    pub fn write(&self, cx: &TaskContext) -> Result<(), Failure> {
        notes::write(cx, NOTE, self).map_err(|error| failed("writing the run's note of the new folder", &error))
    }

    /// Whether what lies under the side name is what this run made.
    pub fn owns(&self, found: &Found) -> bool {
        self.id.as_ref().is_some_and(|id| found.is(id))
    }
}

/// How much is in the folders of these names; a name that leads nowhere holds nothing.
pub async fn amount_of(cx: &TaskContext, place: Place, names: Vec<OsString>) -> Result<Amount, Stop> {
    let cancel = cx.cancel.clone();
    let counting = tokio::task::spawn_blocking(move || {
        let (mut objects, mut bytes) = (0, 0);
        for name in names {
            match place.find(&name)? {
                Found::Nothing => continue,
                Found::Other(what) => return Err(Failure::new(format!("{} is {what}", place.show(&name))).into()),
                Found::Folder(_) => {}
            }
            let doing = format!("counting what {} holds", place.show(&name));
            let dir = place.dir.open_dir(&name).map_err(|error| failed(&doing, &error))?;
            let stop = || cancel.reason().is_some();
            let (tally, _) = tally(&dir, &stop).map_err(|error| match cancel.reason() {
                Some(reason) => Stop::Cancelled(reason),
                None => failed(&doing, &error).into(),
            })?;
            objects += tally.files + tally.folders + tally.links;
            bytes += tally.bytes;
        }
        Ok(Amount { objects: Some(objects), bytes: Some(bytes) })
    });
    counting.await.map_err(|error| Failure::new(format!("the count broke: {error}")))?
}

/// Counts everything below a folder without following links. `stop` is asked once per entry.
pub fn tally(dir: &Dir, stop: &dyn Fn() -> bool) -> std::io::Result<(Tally, Option<i64>)> {
    let (mut tally, mut newest) = (Tally::default(), None::<i64>);
    let mut open = vec![dir.try_clone()?];
    while let Some(dir) = open.pop() {
        for entry in dir.entries()? {
            let entry = entry?;
            if stop() {
                return Err(std::io::Error::new(std::io::ErrorKind::Interrupted, "stopped"));
            }
            let meta = dir.symlink_metadata(entry.file_name())?;
            newest = newest.max(Some(meta.mtime()));
            if meta.is_dir() {
                tally.folders += 1;
                open.push(dir.open_dir(entry.file_name())?);
            } else if meta.is_symlink() {
                tally.links += 1;
            } else {
                tally.files += 1;
                tally.bytes += meta.len();
            }
        }
    }
    Ok((tally, newest))
}
