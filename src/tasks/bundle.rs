//! A folder that a backup run makes before any store has it, with a note of its members: the order in which stores
//! take them, and their bytes.

use super::artefact::{disk, note, path};
use super::context::TaskContext;
use crate::model::task::{Failure, Values};
use crate::model::text::escaped;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The list of all other members. It goes first: a folder in which one of them is missing is seen as incomplete.
pub const SUMS: &str = "SHA256SUMS";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub name: String,
    pub bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// A finished folder. Steps of a run find it by its name alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bundle {
    pub members: Vec<Member>,
    /// What the step that made it returned.
    pub output: Values,
}

impl Bundle {
    /// What an earlier step of this run finished.
    pub fn of(cx: &TaskContext, folder: &str) -> Result<(PathBuf, Self), Failure> {
        let path = path(cx, folder)?;
        let missing = |why: String| {
            Failure::new(format!("this run has made no finished folder `{}`: {why}", escaped(folder)))
                .means("there is nothing to go on with")
                .next("run the step that makes it")
        };
        let text = std::fs::read(note(&path)).map_err(|error| missing(error.to_string()))?;
        let made: Self = serde_json::from_slice(&text).map_err(|error| missing(error.to_string()))?;
        for member in &made.members {
            let found = std::fs::metadata(path.join(&member.name)).map_err(|error| missing(error.to_string()))?;
            if found.len() != member.bytes {
                let (name, bytes) = (escaped(&member.name), member.bytes);
                return Err(missing(format!("`{name}` has {} bytes, {bytes} were written", found.len())));
            }
        }
        Ok((path, made))
    }

    pub fn bytes(&self) -> u64 {
        self.members.iter().map(|member| member.bytes).sum()
    }

    /// Lists the members in the folder itself, gives it its final name, and notes it. Its files are on the disk already.
    pub fn finish(part: &Path, path: &Path, mut members: Vec<Member>, output: Values) -> Result<Self, Failure> {
        let lines = members.iter().map(|member| format!("{}  {}\n", member.sha256, member.name));
        let sums = lines.collect::<Vec<_>>().concat();
        let written = std::fs::write(part.join(SUMS), &sums)
            .and_then(|()| std::fs::File::open(part.join(SUMS))?.sync_all())
            .and_then(|()| std::fs::File::open(part)?.sync_all());
        written.map_err(|error| disk(&error))?;
        let (bytes, sha256) = (sums.len() as u64, hex::encode(Sha256::digest(&sums)));
        members.insert(0, Member { name: SUMS.to_owned(), bytes, sha256 });
        let made = Self { members, output };
        let text = serde_json::to_vec(&made).map_err(|error| Failure::new(error.to_string()))?;
        // The note comes last: a folder without one is not finished.
        std::fs::rename(part, path).and_then(|()| std::fs::write(note(path), text)).map_err(|error| disk(&error))?;
        Ok(made)
    }
}

/// A new empty folder that only we can read, after everything is gone that earlier attempts left. Its name is its own:
/// a program that a dead attempt left behind writes to another.
pub fn fresh(cx: &TaskContext, folder: &str) -> Result<PathBuf, Failure> {
    remove(cx, folder)?;
    let mark = getrandom::u64().map_err(|error| disk(&std::io::Error::other(error)))?;
    let part = cx.work_dir.join(format!("{folder}{UNFINISHED}{mark:016x}"));
    std::fs::DirBuilder::new().mode(0o700).create(&part).map_err(|error| disk(&error))?;
    Ok(part)
}

const UNFINISHED: &str = ".part-";

/// Removes a folder of this run, finished or not; false if there was none.
pub fn remove(cx: &TaskContext, folder: &str) -> Result<bool, Failure> {
    let path = path(cx, folder)?;
    let mut removed = false;
    match std::fs::remove_file(note(&path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(disk(&error)),
        _ => {}
    }
    for there in there(cx, folder)? {
        std::fs::remove_dir_all(there).map_err(|error| disk(&error))?;
        removed = true;
    }
    Ok(removed)
}

/// The folder and the unfinished ones of its attempts, where they are.
pub fn there(cx: &TaskContext, folder: &str) -> Result<Vec<PathBuf>, Failure> {
    let unfinished = format!("{folder}{UNFINISHED}");
    let entries = std::fs::read_dir(&cx.work_dir).map_err(|error| disk(&error))?;
    let of_it = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_folder && name.to_str().is_some_and(|name| name == folder || name.starts_with(&unfinished))
    };
    Ok(entries.filter_map(Result::ok).filter(of_it).map(|entry| entry.path()).collect())
}
