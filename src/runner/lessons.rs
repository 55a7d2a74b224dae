//! What a run taught: lessons with an owner, kept beside its journal until someone says that they are learnt.

use super::error::RunnerError;
use super::folder::RunFolder;
use crate::model::actor::Actor;
use crate::model::time::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

/// File below the run's folder: one line per lesson or end of one.
const FILE: &str = "lessons.jsonl";
/// Most bytes that are read of it.
const MOST: u64 = 4 << 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    /// From 1, in the order in which they were written down.
    pub number: u32,
    /// Who sees to it.
    pub owner: String,
    pub text: String,
    pub by: Actor,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Done>,
}

/// How a lesson was learnt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub text: String,
    pub by: Actor,
    pub at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Lesson(Lesson),
    Done {
        closes: u32,
        #[serde(flatten)]
        done: Done,
    },
}

/// All lessons of a run, in order.
pub fn read(folder: &RunFolder) -> Result<Vec<Lesson>, RunnerError> {
    let path = folder.path.join(FILE);
    let mut text = String::new();
    match File::open(&path).and_then(|file| file.take(MOST).read_to_string(&mut text)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| RunnerError::io("read", &path, error))?,
    };
    let mut lessons = Vec::<Lesson>::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let entry = serde_json::from_str(line);
        match entry.map_err(|error| RunnerError::io("understood", &path, std::io::Error::other(error)))? {
            Entry::Lesson(lesson) => lessons.push(lesson),
            Entry::Done { closes, done } => {
                lessons.iter_mut().filter(|lesson| lesson.number == closes).for_each(|l| l.done = Some(done.clone()));
            }
        }
    }
    Ok(lessons)
}

/// Writes a lesson down; returns its number.
pub fn add(folder: &RunFolder, owner: &str, text: &str, by: Actor, at: Timestamp) -> Result<u32, RunnerError> {
    let _turn = turn(folder)?;
    let number = read(folder)?.len() as u32 + 1;
    append(folder, &Entry::Lesson(Lesson { number, owner: owner.into(), text: text.into(), by, at, done: None }))?;
    Ok(number)
}

/// Says how an open lesson was learnt.
pub fn close(folder: &RunFolder, number: u32, text: &str, by: Actor, at: Timestamp) -> Result<(), RunnerError> {
    let _turn = turn(folder)?;
    let open = read(folder)?.iter().any(|lesson| lesson.number == number && lesson.done.is_none());
    if !open {
        return Err(RunnerError::NoLesson { run: folder.run.to_string(), number });
    }
    append(folder, &Entry::Done { closes: number, done: Done { text: text.to_owned(), by, at } })
}

fn open(folder: &RunFolder) -> Result<File, RunnerError> {
    let path = folder.path.join(FILE);
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
    file.map_err(|error| RunnerError::io("opened", &path, error))
}

/// Numbers are given out by one writer at a time; the lock goes with the file.
fn turn(folder: &RunFolder) -> Result<File, RunnerError> {
    let file = open(folder)?;
    flock(&file, FlockOperation::LockExclusive)
        .map_err(|error| RunnerError::io("locked", &folder.path.join(FILE), error.into()))?;
    Ok(file)
}

fn append(folder: &RunFolder, entry: &Entry) -> Result<(), RunnerError> {
    let write = |mut file: File| {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_all()
    };
    write(open(folder)?).map_err(|error| RunnerError::io("written", &folder.path.join(FILE), error))
}
