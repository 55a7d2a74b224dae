//! What a backup run makes before any store has it: one file in the run's folder, with a note of its bytes.

use super::context::TaskContext;
use super::input::Stop;
use crate::model::task::Failure;
use crate::model::text::escaped;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A finished file. Steps of a run find it by its name alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    pub bytes: u64,
    /// Of the whole file, hexadecimal.
    pub sha256: String,
}

/// Where a file of this name lies. A name with a folder in it is refused.
pub fn path(cx: &TaskContext, file: &str) -> Result<PathBuf, Failure> {
    let plain = !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\0']) && file.len() <= 200;
    if !plain {
        return Err(Failure::new(format!("`{}` cannot be the name of a file of this run", escaped(file)))
            .means("nothing was done")
            .next("mend the step's `file` in the runbook: one name, without folders"));
    }
    Ok(cx.work_dir.join(file))
}

pub(super) fn note(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".made");
    name.into()
}

/// The name that the file has while it is written.
pub fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

pub(super) fn disk(error: &std::io::Error) -> Failure {
    Failure::new(format!("the run's folder could not be written: {error}"))
        .means("the backup was not made; no store was touched")
        .next("make room in Relight's state folder, and retry")
}

impl Artefact {
    /// What an earlier step of this run finished.
    pub fn of(cx: &TaskContext, file: &str) -> Result<(PathBuf, Self), Failure> {
        let path = path(cx, file)?;
        let missing = |why: String| {
            Failure::new(format!("this run has made no finished file `{}`: {why}", escaped(file)))
                .means("there is nothing to go on with")
                .next("run the step that makes it")
        };
        let text = std::fs::read(note(&path)).map_err(|error| missing(error.to_string()))?;
        let made: Self = serde_json::from_slice(&text).map_err(|error| missing(error.to_string()))?;
        let found = std::fs::metadata(&path).map_err(|error| missing(error.to_string()))?;
        if found.len() != made.bytes {
            return Err(missing(format!("it has {} bytes, {} were written", found.len(), made.bytes)));
        }
        Ok((path, made))
    }

    /// Gives a written file its final name and its note. `path` is the final name.
    pub async fn finish(cx: &TaskContext, path: &Path) -> Result<Self, Stop> {
        let from = part(path);
        let (bytes, sha256) = measure(cx, &from).await?;
        let made = Self { bytes, sha256 };
        let text = serde_json::to_vec(&made).map_err(|error| Failure::new(error.to_string()))?;
        // The note comes last: a file without one is not finished.
        put_in_place(&from, path).and_then(|()| std::fs::write(note(path), text)).map_err(|error| disk(&error))?;
        Ok(made)
    }
}

/// An empty file that only we can read, in place of what a dead attempt left.
pub fn fresh(path: &Path) -> Result<(PathBuf, std::fs::File), Failure> {
    for old in [note(path), path.to_owned()] {
        gone(&old)?;
    }
    let part = part(path);
    Ok((part.clone(), empty(&part)?))
}

/// The same for one file that gets no note.
pub fn empty(path: &Path) -> Result<std::fs::File, Failure> {
    gone(path)?;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| disk(&error))
}

fn gone(path: &Path) -> Result<bool, Failure> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(disk(&error)),
    }
}

/// Removes a file of this run, finished or not; false if there was none.
pub fn remove(cx: &TaskContext, file: &str) -> Result<bool, Failure> {
    let path = path(cx, file)?;
    let unfinished = gone(&part(&path))?;
    let finished = gone(&path)?;
    gone(&note(&path))?;
    Ok(finished || unfinished)
}

/// Flushed, then renamed, then the folder flushed.
pub fn put_in_place(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::File::open(from)?.sync_all()?;
    std::fs::rename(from, to)?;
    to.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

/// Size and SHA-256 of a local file.
pub async fn measure(cx: &TaskContext, path: &Path) -> Result<(u64, String), Stop> {
    let (path, cancel) = (path.to_owned(), cx.cancel.clone());
    let hashed = tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::open(path).map_err(|error| disk(&error))?;
        let (mut hasher, mut buffer, mut total) = (Sha256::new(), vec![0; 1 << 18], 0);
        loop {
            if let Some(reason) = cancel.reason() {
                return Err(Stop::Cancelled(reason));
            }
            match file.read(&mut buffer).map_err(|error| disk(&error))? {
                0 => return Ok((total, hex::encode(hasher.finalize()))),
                count => {
                    hasher.update(&buffer[..count]);
                    total += count as u64;
                }
            }
        }
    });
    hashed.await.map_err(|error| Failure::new(format!("hashing the file broke: {error}")))?
}
