//! Output and progress of the running task, at a pace that can be read.

use crate::cli::{Output, Tone};
use crate::model::task::Progress;
use crate::model::text::escaped;
use std::io;
use std::time::{Duration, Instant};

/// Distance between two lines about progress.
const CALM: Duration = Duration::from_secs(5);
/// Most output lines of one message.
const MOST: usize = 40;

#[derive(Debug, Default)]
pub struct Live {
    told: Option<Instant>,
}

impl Live {
    /// A task begins: its first progress is told once it has run for a while.
    pub fn begin(&mut self) {
        self.told = Some(Instant::now());
    }

    pub fn tell(&mut self, progress: Option<&Progress>, lines: &[String], out: &mut Output) -> io::Result<()> {
        for line in lines.iter().take(MOST) {
            out.line(&out.toned(Tone::Quiet, &format!("  | {}", escaped(line))))?;
        }
        if lines.len() > MOST {
            out.line(&format!("  | … {} more lines", lines.len() - MOST))?;
        }
        let due = self.told.is_none_or(|told| told.elapsed() >= CALM);
        if let Some(progress) = progress.filter(|_| due) {
            self.told = Some(Instant::now());
            let note = if progress.note.is_empty() { String::new() } else { format!(": {}", escaped(&progress.note)) };
            out.line(&format!("  … {progress}{note}"))?;
        }
        Ok(())
    }
}
