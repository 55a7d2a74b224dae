//! Standard input, line by line, read no further ahead than one line.

use std::io::{self, BufRead, Read as _};
use tokio::sync::mpsc;

/// Longest line that is taken, in bytes.
const LONGEST: u64 = 64 << 10;

#[derive(Debug)]
pub enum Line {
    Text(String),
    TooLong,
}

/// Lines as they come; `None` for ever after the end.
pub struct Lines {
    lines: mpsc::Receiver<Line>,
    pub ended: bool,
}

impl Lines {
    /// A thread of its own reads: a read from a terminal cannot be cancelled, and must not hold up the end of
    /// the program.
    pub fn of_stdin() -> Self {
        let (sender, lines) = mpsc::channel(1);
        std::thread::spawn(move || {
            let mut input = io::stdin().lock();
            while let Ok(Some(line)) = next(&mut input) {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines, ended: false }
    }

    pub async fn next(&mut self) -> Option<Line> {
        if self.ended {
            return None;
        }
        let line = self.lines.recv().await;
        self.ended = line.is_none();
        line
    }
}

fn next(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    input.by_ref().take(LONGEST).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() as u64 == LONGEST && bytes.last() != Some(&b'\n') {
        // The rest of the line must not pass for another answer.
        while bytes.last() != Some(&b'\n') && !bytes.is_empty() {
            bytes.clear();
            input.by_ref().take(LONGEST).read_until(b'\n', &mut bytes)?;
        }
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(Line::Text(String::from_utf8_lossy(&bytes).trim().to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_one_line() {
        let text = format!("yes\n{}\n no \nlast", "x".repeat(200 << 10));
        let mut input = text.as_bytes();
        let mut found = Vec::new();
        while let Some(line) = next(&mut input).unwrap() {
            found.push(match line {
                Line::Text(text) => text,
                Line::TooLong => "(too long)".to_owned(),
            });
        }
        assert_eq!(found, ["yes", "(too long)", "no", "last"]);
    }
}
