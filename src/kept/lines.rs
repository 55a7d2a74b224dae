//! One file of JSON lines: writers of several processes take turns, each line is on disk before its writer
//! goes on, readers see whole lines and the numbers of those that are not.

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A file of lines, there or not yet.
#[derive(Clone, Debug)]
pub struct Lines {
    path: PathBuf,
    /// Longest line that is believed, in bytes.
    longest: u64,
}

/// What stands in one place of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: u64,
    pub text: Result<Vec<u8>, Broken>,
}

/// Why a line is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Longer than anything that is written here.
    TooLong,
}

impl Lines {
    pub fn new(path: PathBuf, longest: u64) -> Self {
        Self { path, longest }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one line and waits until it is on disk. A torn last line is closed off and stays a line of its own.
    pub fn append(&self, line: &impl Serialize) -> io::Result<()> {
        self.turn()?.append(line)
    }

    /// Waits until no other writer is at the file, and keeps them out.
    pub fn turn(&self) -> io::Result<Turn> {
        let fresh = !self.path.exists();
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        if let (true, Some(folder)) = (fresh, self.path.parent()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(Turn { file, longest: self.longest })
    }

    /// All lines that are not empty, oldest first. A file that does not exist yet has none.
    pub fn read(&self) -> io::Result<Vec<Line>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        flock(&file, FlockOperation::LockShared)?;
        lines(BufReader::new(file), self.longest)
    }
}

/// The file in the hands of one writer, until dropped.
#[derive(Debug)]
pub struct Turn {
    file: File,
    longest: u64,
}

impl Turn {
    /// All lines, as nobody can change them now.
    pub fn read(&mut self) -> io::Result<Vec<Line>> {
        self.file.rewind()?;
        lines(BufReader::new(&mut self.file), self.longest)
    }

    pub fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        if !ends_whole(&mut self.file)? {
            bytes.insert(0, b'\n');
        }
        self.file.write_all(&bytes)?;
        self.file.sync_all()
    }
}

fn lines(mut reader: impl BufRead, longest: u64) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for number in 1.. {
        let mut line = Vec::new();
        if reader.by_ref().take(longest).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() as u64 == longest && !line.ends_with(b"\n") {
            reader.skip_until(b'\n')?;
            lines.push(Line { number, text: Err(Broken::TooLong) });
        } else if !line.trim_ascii().is_empty() {
            lines.push(Line { number, text: Ok(line) });
        }
    }
    Ok(lines)
}

fn ends_whole(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[Line]) -> Vec<(u64, &str)> {
        fn text(line: &Line) -> &str {
            line.text.as_deref().map_or("!", |text| str::from_utf8(text).unwrap().trim_end())
        }
        lines.iter().map(|line| (line.number, text(line))).collect()
    }

    #[test]
    fn a_torn_line_and_a_monster_stay_and_hide_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let lines = Lines::new(folder.path().join("kept.jsonl"), 64);
        assert_eq!(lines.read().unwrap(), []);
        lines.append(&1).unwrap();
        let mut file = OpenOptions::new().append(true).open(lines.path()).unwrap();
        file.write_all(b"{\"torn").unwrap();
        lines.append(&"two").unwrap();
        file.write_all(&[b'x'; 200]).unwrap();
        lines.append(&3).unwrap();
        assert_eq!(texts(&lines.read().unwrap()), [(1, "1"), (2, "{\"torn"), (3, "\"two\""), (4, "!"), (5, "3")]);
        assert_eq!(std::fs::metadata(lines.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn who_has_the_turn_reads_and_adds_while_others_wait() {
        let folder = tempfile::tempdir().unwrap();
        let lines = Lines::new(folder.path().join("kept.jsonl"), 64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let mut turn = lines.turn().unwrap();
                        let number = turn.read().unwrap().len();
                        turn.append(&number).unwrap();
                    }
                });
            }
        });
        let read = lines.read().unwrap();
        let wanted: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        assert_eq!(texts(&read).into_iter().map(|(_, text)| text).collect::<Vec<_>>(), wanted);
    }
}
