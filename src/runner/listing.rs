//! The runs of a state folder for whoever looks at them again and again: a journal is read anew only when
//! it has grown or changed.

use super::error::RunnerError;
use super::folder::RunFolder;
use super::lock;
use super::runs::{self, RunEntry};
use crate::journal::JOURNAL;
use crate::model::id::RunId;
use crate::runbook::RunState;
use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

/// Runs as they were read last.
#[derive(Debug, Default)]
pub struct Listing {
    known: HashMap<RunId, (Mark, Result<RunState, String>)>,
}

/// Changes whenever a journal does: its length and its time of change.
type Mark = (u64, Option<SystemTime>);

impl Listing {
    /// All runs, newest first. What stands in an unchanged journal is remembered; whether its runner lives is
    /// always asked.
    pub fn look(&mut self, state_dir: &Path) -> Result<Vec<RunEntry>, RunnerError> {
        let folders = runs::folders(state_dir)?;
        let mut known = HashMap::with_capacity(folders.len());
        let mut entries = Vec::with_capacity(folders.len());
        for folder in folders {
            // The mark is taken first: what is appended while the journal is read is seen next time.
            let mark = mark(&folder);
            let entry = match self.known.remove(&folder.run) {
                Some((before, state)) if mark.is_some_and(|mark| mark == before) => {
                    RunEntry { runner: lock::holder(&folder), folder, state }
                }
                _ => runs::read(&folder),
            };
            if let Some(mark) = mark {
                known.insert(entry.folder.run.clone(), (mark, entry.state.clone()));
            }
            entries.push(entry);
        }
        self.known = known;
        Ok(entries)
    }
}

fn mark(folder: &RunFolder) -> Option<Mark> {
    let found = std::fs::metadata(folder.path.join(JOURNAL)).ok()?;
    Some((found.len(), found.modified().ok()))
}
