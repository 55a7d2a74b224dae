//! What a run taught: lessons with an owner, kept beside its journal until someone says that they are learnt.

use super::error::RunnerError;
use super::folder::RunFolder;
use crate::kept::{Line, Lines};
use crate::model::actor::Actor;
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// File below the run's folder: one line per lesson or end of one.
const FILE: &str = "lessons.jsonl";
/// Longest line that is believed, in bytes.
const LONGEST: u64 = 1 << 20;

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

/// The lessons of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lessons {
    /// In the order in which they were written down.
    pub lessons: Vec<Lesson>,
    /// Numbers of lines that are none; they stay in the file.
    pub unreadable: Vec<u64>,
}

/// All lessons of a run.
pub fn read(folder: &RunFolder) -> Result<Lessons, RunnerError> {
    let file = file(folder);
    let lines = file.read().map_err(|error| RunnerError::io("read", file.path(), error))?;
    Ok(understood(lines))
}

/// Writes a lesson down; returns its number.
pub fn add(folder: &RunFolder, owner: &str, text: &str, by: Actor, at: Timestamp) -> Result<u32, RunnerError> {
    in_turn(folder, |have| {
        let number = have.lessons.len() as u32 + 1;
        let lesson = Lesson { number, owner: owner.into(), text: text.into(), by, at, done: None };
        Ok((Entry::Lesson(lesson), number))
    })
}

/// Says how an open lesson was learnt.
pub fn close(folder: &RunFolder, number: u32, text: &str, by: Actor, at: Timestamp) -> Result<(), RunnerError> {
    in_turn(folder, |have| {
        if !have.lessons.iter().any(|lesson| lesson.number == number && lesson.done.is_none()) {
            return Err(RunnerError::NoLesson { run: folder.run.to_string(), number });
        }
        Ok((Entry::Done { closes: number, done: Done { text: text.to_owned(), by, at } }, ()))
    })
}

fn file(folder: &RunFolder) -> Lines {
    Lines::new(folder.path.join(FILE), LONGEST)
}

/// Numbers are given out by one writer at a time.
fn in_turn<T>(
    folder: &RunFolder,
    make: impl FnOnce(&Lessons) -> Result<(Entry, T), RunnerError>,
) -> Result<T, RunnerError> {
    let file = file(folder);
    let broken = |doing, error| RunnerError::io(doing, file.path(), error);
    let mut turn = file.turn().map_err(|error| broken("opened", error))?;
    let lines = turn.read().map_err(|error| broken("read", error))?;
    let (entry, made) = make(&understood(lines))?;
    turn.append(&entry).map_err(|error| broken("written", error))?;
    Ok(made)
}

fn understood(lines: Vec<Line>) -> Lessons {
    let mut all = Lessons::default();
    for Line { number, text } in lines {
        match text.map(|text| serde_json::from_slice(&text)) {
            Ok(Ok(Entry::Lesson(lesson))) => all.lessons.push(lesson),
            Ok(Ok(Entry::Done { closes, done })) => {
                all.lessons.iter_mut().filter(|l| l.number == closes).for_each(|l| l.done = Some(done.clone()));
            }
            _ => all.unreadable.push(number),
        }
    }
    all
}
